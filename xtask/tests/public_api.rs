//! The public interface of a package that hides its dependencies contains none of their types.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Fields, File, ImplItem, Item, ItemImpl, Path as TypePath, UseTree, Visibility};

/// Packages of which a new line of a dependency must be a patch release.
const HIDE_THEIR_DEPENDENCIES: [&str; 1] = ["adapters/otlp"];

/// Where what a package offers may come from.
const OWN: [&str; 7] = [
    "alloc",
    "core",
    "crate",
    "opentracing_http",
    "self",
    "std",
    "super",
];

#[test]
fn no_type_of_a_dependency_is_offered() {
    for package in HIDE_THEIR_DEPENDENCIES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(package);
        let manifest = read(&folder.join("Cargo.toml"));
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        let root = files.iter().position(|(name, _)| name == "lib.rs");
        let offered = offers(&files[root.expect("a library")].1);
        for (name, file) in &files {
            let found = foreign(file, &offered, &dependencies(&manifest));
            assert!(found.is_empty(), "{package}: {name} offers {found:?}");
        }
    }
}

#[test]
fn type_of_a_dependency_is_found_wherever_it_is_offered() {
    let lib = syn::parse_str("mod a; pub use self::a::{A, B as C}; pub fn f() {}").expect("code");
    let dependencies = BTreeSet::from(["http", "ureq"].map(str::to_owned));
    let found = |code: &str| {
        let code = format!("use http::header::{{self, HeaderMap as Map, Uri}}; {code}");
        foreign(
            &syn::parse_str(&code).expect(&code),
            &offers(&lib),
            &dependencies,
        )
    };
    for clean in [
        "pub struct A { pub(crate) map: Map }",
        "impl A { pub fn f(self, uri: &str) { let _: Uri = uri.parse(); } fn g(&self) -> Map {} }",
        "struct Hidden(pub Map); impl From<Map> for Hidden { fn from(map: Map) -> Self {} }",
        "use std::fmt; impl fmt::Debug for A { fn fmt(&self) -> fmt::Result {} }",
    ] {
        assert!(found(clean).is_empty(), "{clean}");
    }
    for offer in [
        "pub use ureq::Agent;",
        "pub use ::ureq::Agent;",
        "pub struct A(pub Map);",
        "pub struct A { pub map: Option<Vec<Map>> }",
        "pub struct A<T: Into<Map>>(T);",
        "pub struct A<T>(T) where T: ureq::Middleware;",
        "pub enum A { B { map: Map } }",
        "pub trait A { fn map(&self) -> Map; }",
        "pub type A = ureq::Agent;",
        "pub const A: Map = ();",
        "pub fn f(f: impl Fn(&Map)) {}",
        "pub fn f() -> Box<dyn Fn(Uri)> {}",
        "impl A { pub fn g(&self) -> header::HeaderName {} }",
        "impl A { pub const B: Map = (); }",
        "impl From<Map> for A { fn from(map: Map) -> Self {} }",
        "impl From<B> for Map { fn from(b: B) -> Self {} }",
        "impl ureq::Middleware for A {}",
        "impl<T: ureq::Middleware> A { }",
        "impl Iterator for A { type Item = Uri; fn next(&mut self) {} }",
    ] {
        assert!(!found(offer).is_empty(), "{offer}");
    }
}

/// What a library makes public: the names that it defines, or takes from its modules, which are private.
fn offers(lib: &File) -> BTreeSet<String> {
    let mut offered = BTreeSet::new();
    for item in &lib.items {
        match item {
            Item::Use(item) if is_public(&item.vis) => {
                let mut paths = Vec::new();
                leaves(&item.tree, &mut Vec::new(), &mut paths);
                for path in paths {
                    offered.extend(path.path.last().cloned());
                    offered.insert(path.name);
                }
            }
            Item::Fn(item) if is_public(&item.vis) => {
                offered.insert(item.sig.ident.to_string());
            }
            Item::Mod(item) => assert!(!is_public(&item.vis), "a public module is not looked into"),
            _ => {}
        }
    }
    offered
}

/// The names of dependencies, and of what is imported from them, in what a file offers.
fn foreign(
    file: &File,
    offered: &BTreeSet<String>,
    dependencies: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut finder = Finder {
        foreign: dependencies.clone(),
        found: BTreeSet::new(),
    };
    for item in &file.items {
        let Item::Use(item) = item else { continue };
        let mut paths = Vec::new();
        leaves(&item.tree, &mut Vec::new(), &mut paths);
        for import in paths {
            let root = import.path.first().map_or("", String::as_str);
            if OWN.contains(&root) {
                continue;
            }
            if is_public(&item.vis) {
                finder.found.insert(import.name.clone());
            }
            finder.foreign.insert(import.name);
        }
    }
    let is_offered =
        |vis: &Visibility, name: &syn::Ident| is_public(vis) && offered.contains(&name.to_string());
    for item in &file.items {
        match item {
            Item::Fn(item) if is_offered(&item.vis, &item.sig.ident) => {
                finder.visit_signature(&item.sig);
            }
            Item::Struct(item) if is_offered(&item.vis, &item.ident) => {
                finder.visit_generics(&item.generics);
                finder.public_fields(&item.fields);
            }
            Item::Enum(item) if is_offered(&item.vis, &item.ident) => finder.visit_item_enum(item),
            Item::Trait(item) if is_offered(&item.vis, &item.ident) => {
                finder.visit_item_trait(item);
            }
            Item::Type(item) if is_offered(&item.vis, &item.ident) => finder.visit_item_type(item),
            Item::Const(item) if is_offered(&item.vis, &item.ident) => finder.visit_type(&item.ty),
            Item::Static(item) if is_offered(&item.vis, &item.ident) => {
                finder.visit_type(&item.ty);
            }
            Item::Impl(item) if is_about(item, offered) => finder.implementation(item),
            _ => {}
        }
    }
    finder.found
}

/// Whether it is for, or with, something that the package offers.
fn is_about(item: &ItemImpl, offered: &BTreeSet<String>) -> bool {
    let mut finder = Finder {
        foreign: offered.clone(),
        found: BTreeSet::new(),
    };
    finder.visit_type(&item.self_ty);
    if let Some((_, path, _)) = &item.trait_ {
        finder.visit_path(path);
    }
    !finder.found.is_empty()
}

struct Finder {
    foreign: BTreeSet<String>,
    found: BTreeSet<String>,
}

impl Finder {
    fn public_fields(&mut self, fields: &Fields) {
        for field in fields.iter().filter(|field| is_public(&field.vis)) {
            self.visit_type(&field.ty);
        }
    }

    fn implementation(&mut self, item: &ItemImpl) {
        self.visit_generics(&item.generics);
        self.visit_type(&item.self_ty);
        let of_trait = item.trait_.as_ref().map(|(_, path, _)| path);
        if let Some(path) = of_trait {
            self.visit_path(path);
        }
        let counts = |vis: &Visibility| of_trait.is_some() || is_public(vis);
        for item in &item.items {
            match item {
                ImplItem::Fn(item) if counts(&item.vis) => self.visit_signature(&item.sig),
                ImplItem::Const(item) if counts(&item.vis) => self.visit_type(&item.ty),
                ImplItem::Type(item) if counts(&item.vis) => self.visit_type(&item.ty),
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_path(&mut self, path: &'ast TypePath) {
        if let Some(first) = path.segments.first() {
            let first = first.ident.to_string();
            if self.foreign.contains(&first) {
                self.found.insert(first);
            }
        }
        visit::visit_path(self, path);
    }
}

/// What a `use` brings in.
struct Import {
    /// Whence.
    path: Vec<String>,
    /// Under which name.
    name: String,
}

fn leaves(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Import>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            leaves(&path.tree, before, found);
            before.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, before, found);
            }
        }
        UseTree::Name(name) => {
            let mut path = before.clone();
            if name.ident != "self" {
                path.push(name.ident.to_string());
            }
            found.push(Import {
                name: path.last().cloned().unwrap_or_default(),
                path,
            });
        }
        UseTree::Rename(rename) => {
            let mut path = before.clone();
            path.push(rename.ident.to_string());
            let name = rename.rename.to_string();
            found.push(Import { path, name });
        }
        UseTree::Glob(_) => panic!("what comes by `{}::*` is not known", before.join("::")),
    }
}

const fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

/// The names of the dependencies in a manifest, as code has them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| {
        let end = line.find(['.', '=', ' '])?;
        let name = line[..end].trim().replace('-', "_");
        (!name.is_empty() && !name.starts_with('#') && !OWN.contains(&&*name)).then_some(name)
    });
    let names: BTreeSet<_> = names.collect();
    assert!(!names.is_empty(), "a manifest without dependencies");
    names
}

/// The files of a folder, and those below it, as code.
fn sources(folder: &Path, files: &mut Vec<(String, File)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            sources(&path, files);
        } else {
            let name = path.file_name().and_then(|name| name.to_str());
            let file = syn::parse_file(&read(&path)).expect("code");
            files.push((name.expect("a name in UTF-8").to_owned(), file));
        }
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
