//! Every public function of the core and of the adapters is shown: by an example on its page of the
//! documentation, or by a link to one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, TraitItem, Type, Visibility};

/// The packages whose functions services and adapters call.
const PACKAGES: [&str; 10] = [
    "core",
    "adapters/tower",
    "adapters/axum",
    "adapters/actix-web",
    "adapters/rocket",
    "adapters/warp",
    "adapters/jaeger",
    "adapters/otlp",
    "adapters/opentelemetry",
    "adapters/tracing",
];

#[test]
fn public_functions_have_an_example_or_a_link_to_one() {
    let mut missing = Vec::new();
    for package in PACKAGES {
        missing.extend(without_example(&sources(&root().join(package).join("src"))));
    }
    assert!(
        missing.is_empty(),
        "add an example, or a sentence with the word \"example\" and a link: {missing:#?}"
    );
}

#[test]
fn function_without_example_is_found() {
    let found = |code: &str| {
        let file = syn::parse_str(code).expect(code);
        without_example(&BTreeMap::from([("a.rs".to_owned(), file)])).len()
    };
    let shown = [
        "/// ```\n/// f();\n/// ```\npub fn f() {}",
        "/// Returns 1; see [`g`] for an example.\npub fn f() {}",
        "/// ```\n/// A::new().f();\n/// ```\npub struct A; impl A { pub fn new() {} pub fn f(&self) {} }",
        "pub struct A; impl A { /// ```\n/// A.f();\n/// ```\npub fn g() {} pub fn f(&self) {} }",
        "struct A; impl A { pub(crate) fn f() {} fn g() {} }",
        "trait A { fn f(&self); }",
        "/// See [`B`] for an example.\npub struct A; impl A { pub fn f(&self) {} } /// ```\n/// a.f();\n/// ```\npub trait B {}",
        "impl Clone for A { fn clone(&self) -> Self {} }",
        "#[cfg(test)] mod tests { pub fn f() {} }",
    ];
    for code in shown {
        assert_eq!(found(code), 0, "{code}");
    }
    let hidden = [
        "pub fn f() {}",
        "/// Returns 1, for example.\npub fn f() {}",
        "/// ```\n/// g();\n/// ```\npub struct A; impl A { pub fn f(&self) {} }",
        "/// ```text\n/// f();\n/// ```\npub struct A; impl A { pub fn f(&self) {} }",
        "/// ```\n/// half();\n/// ```\npub struct A; impl A { pub fn f(&self) {} }",
        "pub trait A { fn f(&self); }",
    ];
    for code in hidden {
        assert_eq!(found(code), 1, "{code}");
    }
}

/// A public function, and what its own documentation has.
struct Function {
    file: String,
    /// The type, trait or module on whose page it is.
    page: String,
    name: String,
    is_shown: bool,
}

/// A page of the documentation: a type's, a trait's or a module's.
#[derive(Default)]
struct Page {
    /// The examples on it.
    code: String,
    /// The pages that its own text names for examples.
    links: BTreeSet<String>,
}

#[derive(Default)]
struct Found {
    functions: Vec<Function>,
    pages: BTreeMap<String, Page>,
}

/// Returns the public functions without an example: neither their own documentation nor their page has one that calls them,
/// or links to one.
fn without_example(files: &BTreeMap<String, syn::File>) -> Vec<String> {
    let mut found = Found::default();
    for (file, parsed) in files {
        found.add_text(&module(file), &parsed.attrs);
        found.visit(file, &parsed.items);
    }
    let mut missing = BTreeSet::new();
    for function in &found.functions {
        let page = &found.pages[&function.page];
        let linked = page.links.iter().filter_map(|link| found.pages.get(link));
        let is_called = std::iter::once(page)
            .chain(linked)
            .any(|page| calls(&page.code, &function.name));
        if !function.is_shown && !is_called {
            let Function {
                file, page, name, ..
            } = function;
            missing.insert(format!("{file}: {page}::{name}"));
        }
    }
    missing.into_iter().collect()
}

impl Found {
    /// Adds the text of a type or a module to its page.
    fn add_text(&mut self, page: &str, attributes: &[Attribute]) {
        let documentation = documentation(attributes);
        let page_found = self.pages.entry(page.to_owned()).or_default();
        page_found.code.push_str(&code(&documentation));
        page_found.links.extend(links_to_examples(&documentation));
    }

    fn add_function(
        &mut self,
        file: &str,
        page: &str,
        name: &syn::Ident,
        attributes: &[Attribute],
        is_public: bool,
    ) {
        let documentation = documentation(attributes);
        let code = code(&documentation);
        let page_found = self.pages.entry(page.to_owned()).or_default();
        page_found.code.push_str(&code);
        if is_public {
            self.functions.push(Function {
                file: file.to_owned(),
                page: page.to_owned(),
                name: name.to_string(),
                is_shown: !code.is_empty() || !links_to_examples(&documentation).is_empty(),
            });
        }
    }

    /// Collects the public functions of these items, and the examples of each page.
    fn visit(&mut self, file: &str, items: &[Item]) {
        for item in items {
            match item {
                Item::Fn(item) => {
                    let is_public = is_public(&item.vis);
                    self.add_function(file, &module(file), &item.sig.ident, &item.attrs, is_public);
                }
                Item::Struct(item) => self.add_text(&item.ident.to_string(), &item.attrs),
                Item::Enum(item) => self.add_text(&item.ident.to_string(), &item.attrs),
                Item::Trait(item) => {
                    let page = item.ident.to_string();
                    self.add_text(&page, &item.attrs);
                    for function in &item.items {
                        if let TraitItem::Fn(function) = function {
                            let (name, is_public) = (&function.sig.ident, is_public(&item.vis));
                            self.add_function(file, &page, name, &function.attrs, is_public);
                        }
                    }
                }
                Item::Impl(item) if item.trait_.is_none() => {
                    let page = type_name(&item.self_ty);
                    for function in &item.items {
                        if let ImplItem::Fn(function) = function {
                            let (name, is_public) = (&function.sig.ident, is_public(&function.vis));
                            self.add_function(file, &page, name, &function.attrs, is_public);
                        }
                    }
                }
                Item::Mod(item) if !is_for_tests(&item.attrs) => {
                    if let Some((_, items)) = &item.content {
                        self.visit(file, items);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Returns the name of the module on whose page the functions of a file are: its folder's.
fn module(file: &str) -> String {
    let folder = Path::new(file).parent().and_then(Path::file_name);
    let folder = folder.and_then(|folder| folder.to_str());
    folder.unwrap_or_default().to_owned()
}

/// Returns the text of the documentation comments.
fn documentation(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(value) = &meta.value
            && let Lit::Str(line) = &value.lit
        {
            text.push_str(&line.value());
            text.push('\n');
        }
    }
    text
}

/// Returns the Rust samples of a documentation.
fn code(documentation: &str) -> String {
    let mut code = String::new();
    let mut is_code = false;
    let mut is_rust = false;
    for line in documentation.lines().map(str::trim) {
        if let Some(language) = line.strip_prefix("```") {
            is_code = !is_code;
            is_rust = is_code && !language.starts_with("text");
        } else if is_rust {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// Returns what the sentences with the word "example" link to: the last name of each path.
fn links_to_examples(documentation: &str) -> BTreeSet<String> {
    let text = documentation.replace('\n', " ");
    let sentences = text.split(". ").filter(|text| text.contains("example"));
    let mut links = BTreeSet::new();
    for rest in sentences.flat_map(|sentence| sentence.split('[').skip(1)) {
        let Some((text, rest)) = rest.split_once(']') else {
            continue;
        };
        let target = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let path = target.map_or(text, |(target, _)| target).trim_matches('`');
        links.insert(path.rsplit("::").next().unwrap_or(path).to_owned());
    }
    links
}

/// Returns `true` if the code calls or names a function of this name.
fn calls(code: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let after = code[start + name.len()..].chars().next();
        let is_value = code[..start].ends_with("::") && matches!(after, Some(')' | ','));
        !before.is_some_and(is_part) && (is_value || matches!(after, Some('(' | ':' | '<')))
    })
}

fn type_name(path: &Type) -> String {
    match path {
        Type::Path(path) => {
            let last = path.path.segments.last();
            last.map_or_else(String::new, |segment| segment.ident.to_string())
        }
        _ => String::new(),
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    let mut attributes = attributes.iter();
    attributes.any(|attribute| attribute.path().is_ident("cfg"))
}

/// Returns the parsed files of a folder, by their paths from the repository's root.
fn sources(folder: &Path) -> BTreeMap<String, syn::File> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let shown = path.strip_prefix(root()).expect("a file of the repository");
            let text = fs::read_to_string(&path).expect("a source file");
            let file = syn::parse_file(&text).expect("valid Rust");
            files.insert(shown.display().to_string(), file);
        }
    }
    files
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("a folder above").to_owned()
}
