pub struct FanOut;
