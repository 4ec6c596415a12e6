//! The levels of the core's modules: what each folder may import, and how large a circle of files may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{File, ItemMod, ItemUse, UseTree};

/// Each folder or file of `core/src`, from the top down. It may import those below it, and no others.
const LEVELS: [&str; 15] = [
    "server",
    "http_tracing",
    "tracer",
    "report",
    "env",
    "span",
    "delivery",
    "sampler",
    "http",
    "propagation",
    "tag",
    "context",
    "text",
    "guard",
    "config_error",
];

/// Maximum number of files that import each other in a circle. They must be in one folder.
const LARGEST_CIRCLE: usize = 12;

/// Maximum number of folders and files in `core/src`.
const MOST_ENTRIES: usize = 16;

/// Maximum number of names at the root of the core: the interface for handlers and services.
const MOST_NAMES: usize = 45;

/// A module: the folder and, for a file that is not the folder's own, the file.
type Module = Vec<String>;

#[test]
fn no_import_runs_up_the_levels() {
    let level = |name: &str| LEVELS.iter().position(|known| *known == name);
    let mut wrong = Vec::new();
    for (module, file) in modules() {
        let own = module.first().expect("a module has a name");
        let own_level = level(own).unwrap_or_else(|| panic!("{own} has no level in this test"));
        for import in imports(&file, &module) {
            let folder = import.first().expect("an import has a name");
            let is_below = level(folder).is_some_and(|level| level > own_level);
            if folder != own && !is_below {
                wrong.push(format!(
                    "{} imports {}",
                    module.join("/"),
                    import.join("::")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn circles_of_files_are_small_and_within_one_folder() {
    let modules = modules();
    let edges: BTreeMap<&Module, BTreeSet<&Module>> = modules
        .iter()
        .map(|(module, file)| {
            let targets = imports(file, module).into_iter();
            let targets = targets.filter_map(|import| {
                let lengths = (1..=import.len()).rev();
                let known = lengths.filter_map(|length| modules.get_key_value(&import[..length]));
                known.map(|(module, _)| module).next()
            });
            (module, targets.filter(|target| *target != module).collect())
        })
        .collect();
    let mut reached: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for module in modules.keys() {
        let (mut seen, mut next) = (BTreeSet::new(), vec![module]);
        while let Some(module) = next.pop() {
            next.extend(edges[module].iter().filter(|target| seen.insert(**target)));
        }
        reached.insert(module, seen);
    }
    for (module, others) in &reached {
        let circle = others
            .iter()
            .filter(|other| reached[*other].contains(module));
        let circle: Vec<_> = circle.map(|module| module.join("/")).collect();
        let folders: BTreeSet<_> = circle.iter().map(|file| file.split('/').next()).collect();
        assert!(folders.len() <= 1, "a circle over folders: {circle:?}");
        assert!(
            circle.len() <= LARGEST_CIRCLE,
            "{}: {circle:?}",
            circle.len()
        );
    }
}

#[test]
fn root_is_a_short_list() {
    let entries = fs::read_dir(source()).expect("the core's sources").count();
    assert!(entries <= MOST_ENTRIES, "{entries} entries in core/src");
    let mut names = Vec::new();
    for item in parse(&source().join("lib.rs")).items {
        if let syn::Item::Use(item) = item
            && matches!(item.vis, syn::Visibility::Public(_))
        {
            leaves(&item.tree, &mut Vec::new(), &mut names);
        }
    }
    assert!(names.len() > 20, "the names at the root are not found");
    assert!(
        names.len() <= MOST_NAMES,
        "{} names at the root",
        names.len()
    );
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let file = "
        use std::fmt;
        use crate::{text::hex, tag::{self, Value as V}};
        use super::names::parse;
        pub(crate) use self::inner::Thing;
        fn f() { crate::guard::guard(|| crate::env::var(\"X\")); }
        /// See [`crate::report`].
        #[cfg(test)]
        mod tests { use crate::server::Instrumentation; }
    ";
    let file: File = syn::parse_str(file).expect("code");
    let module = ["propagation", "w3c"].map(str::to_owned).to_vec();
    let found: BTreeSet<String> = imports(&file, &module)
        .into_iter()
        .map(|import| import.join("::"))
        .collect();
    let expected = [
        "env::var",
        "guard::guard",
        "propagation::names::parse",
        "tag",
        "tag::Value",
        "text::hex",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

/// The modules of the core with their source, but for the root.
fn modules() -> BTreeMap<Module, File> {
    let mut files = Vec::new();
    collect(&source(), &mut files);
    let modules = files.into_iter().filter_map(|path| {
        let relative = path.strip_prefix(source()).expect("below the sources");
        let mut module: Module = relative
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        (module != ["lib"]).then(|| (module, parse(&path)))
    });
    modules.collect()
}

/// What a file imports of this crate, with the path from the root on: in `use` and in paths within the code, but not in
/// its tests.
fn imports(file: &File, module: &[String]) -> Vec<Module> {
    let mut finder = Finder {
        module,
        found: Vec::new(),
    };
    finder.visit_file(file);
    finder.found
}

struct Finder<'a> {
    module: &'a [String],
    found: Vec<Module>,
}

impl Finder<'_> {
    fn add(&mut self, path: &[String]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let parent = self
            .module
            .split_last()
            .map_or(&[][..], |(_, parent)| parent);
        let full = match first.as_str() {
            "crate" => rest.to_vec(),
            "super" => [parent, rest].concat(),
            // A module's own children are what it is made of.
            _ => return,
        };
        if !full.is_empty() {
            self.found.push(full);
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut paths = Vec::new();
        leaves(&item.tree, &mut Vec::new(), &mut paths);
        paths.iter().for_each(|path| self.add(path));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        let segments: Vec<_> = segments.map(|segment| segment.ident.to_string()).collect();
        self.add(&segments);
        visit::visit_path(self, path);
    }
}

/// The paths that a `use` names.
fn leaves(tree: &UseTree, before: &mut Module, paths: &mut Vec<Module>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            leaves(&path.tree, before, paths);
            before.pop();
        }
        UseTree::Group(group) => group
            .items
            .iter()
            .for_each(|tree| leaves(tree, before, paths)),
        UseTree::Name(name) if name.ident == "self" => paths.push(before.clone()),
        UseTree::Name(name) => paths.push([&**before, &[name.ident.to_string()]].concat()),
        UseTree::Rename(rename) => paths.push([&**before, &[rename.ident.to_string()]].concat()),
        UseTree::Glob(_) => paths.push(before.clone()),
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder)
        .expect("a folder")
        .map_while(Result::ok)
    {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn parse(path: &Path) -> File {
    let text = fs::read_to_string(path).expect("a file of text");
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src")
}
