//! The functions on the page about logs are those of the programs it links, which are tested.

use std::fs;
use std::path::Path;

#[test]
fn functions_of_the_page_are_those_of_tested_programs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adapters");
    let read = |path: &Path| {
        let text = fs::read_to_string(path);
        text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let page = read(&folder.join("LOGS.md"));
    let mut parts = page.split("```rust\n");
    let mut before = parts.next().expect("the beginning");
    let mut count = 0;
    for part in parts {
        let (code, after) = part.split_once("```").expect("the end of the code");
        let (_, link) = before.rsplit_once("](").expect("a link before the code");
        let (link, _) = link.split_once(')').expect("the end of the link");
        let source = read(&folder.join(link));
        let from = code.find("///").expect("a function after the imports");
        let function = &code[from..];
        assert!(source.contains(function), "{link} lacks:\n{function}");
        before = after;
        count += 1;
    }
    assert_eq!(count, 5, "one recipe for each framework");
}
