//! What the lists of all contracts have in common.

/// Defines the list of a contract's cases: a macro `for_each_…_case!`, and the same as data, `CASES`.
///
/// The first token is a dollar sign, which a macro cannot write by itself in a macro that it makes.
macro_rules! list_of_cases {
    (
        $dollar:tt
        $(#[$doc:meta])*
        $for_each:ident
        $($group:literal { $($case:ident)* })*
    ) => {
        $(#[$doc])*
        ///
        /// `then!` is called with the arguments in brackets, then the groups: each a title, and the names of its cases.
        #[macro_export]
        macro_rules! $for_each {
            ($dollar($dollar then:ident)::+, $dollar($dollar arguments:tt)*) => {
                $dollar($dollar then)::+! { [$dollar($dollar arguments)*] $($group { $($case)* })* }
            };
        }

        /// The list as data: each group's title, and the names of its cases.
        pub const CASES: &[(&str, &[&str])] = &[$(($group, &[$(stringify!($case)),*])),*];
    };
}

/// Makes a test of every case of a list: of `contract<Type>`, which also declares capabilities, or of `contract(value)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ([$contract:ident<$subject:ty>] $($group:literal { $($case:ident)* })*) => {
        $($(
            #[test]
            fn $case() {
                $crate::run($crate::$contract::cases::$case::<$subject>);
            }
        )*)*

        #[test]
        fn declares_its_capabilities() {
            $crate::$contract::declare::<$subject>();
        }
    };
    ([$contract:ident($subject:expr)] $($group:literal { $($case:ident)* })*) => {
        $($(
            #[test]
            fn $case() {
                $crate::run(|| $crate::$contract::cases::$case(&$subject));
            }
        )*)*
    };
}

/// Asserts that each of what is lacking has a reason, and that nothing is named twice; prints a line for each.
///
/// The matrix page reads the lines: `lacks`, the feature and the reason, with tabs between.
#[track_caller]
pub(crate) fn declare_lacks<F: std::fmt::Display>(
    lacks: impl IntoIterator<Item = (F, &'static str)>,
) {
    let mut named = Vec::new();
    for (feature, reason) in lacks {
        let feature = feature.to_string();
        assert!(!reason.trim().is_empty(), "{feature} needs a reason");
        assert!(!named.contains(&feature), "{feature} is named twice");
        println!("lacks\t{feature}\t{reason}");
        named.push(feature);
    }
}
