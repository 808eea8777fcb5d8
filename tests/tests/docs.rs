//! Every example in the documents: policies compile, command lines are understood, snippets run against a mesh.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::rc::Rc;

use mesh_policy::{Bundle, BundlePolicy, Document, Settings};
use mesh_tests::{Mesh, Request, eventually, exchange, tool};

/// A fenced block of a document.
struct Block {
    document: PathBuf,
    line: usize,
    language: String,
    text: String,
}

impl Block {
    fn place(&self) -> String {
        format!("{}:{}", self.document.display(), self.line)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root of the clone").to_owned()
}

/// The blocks of one language in the documents that users read.
fn blocks(language: &str) -> Vec<Block> {
    let root = root();
    let mut documents = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("SECURITY.md")];
    let folder = std::fs::read_dir(root.join("docs")).expect("docs/ exists");
    documents.extend(
        folder.flatten().map(|entry| entry.path()).filter(|path| path.extension() == Some("md".as_ref())),
    );
    let found: Vec<Block> =
        documents.iter().flat_map(|path| fenced(path)).filter(|block| block.language == language).collect();
    assert!(!found.is_empty(), "no document has a block of {language}");
    found
}

fn fenced(document: &Path) -> Vec<Block> {
    let text =
        std::fs::read_to_string(document).unwrap_or_else(|error| panic!("{}: {error}", document.display()));
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => {
                let language = language.trim().to_owned();
                open = Some(Block {
                    document: document.to_owned(),
                    line: index + 1,
                    language,
                    text: String::new(),
                });
            }
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block is not closed", document.display());
    blocks
}

/// The text between `<<'EOF'` and `EOF`, where a shell block writes a file.
fn here_documents(block: &Block) -> Vec<String> {
    let parts = block.text.split("<<'EOF'").skip(1);
    parts
        .filter_map(|part| part.split_once('\n')?.1.split_once("\nEOF"))
        .map(|(text, _)| text.to_owned())
        .collect()
}

#[test]
fn policies_in_the_documents_compile() {
    let yaml = blocks("yaml").into_iter().map(|block| (block.place(), block.text));
    let written = blocks("sh").into_iter().flat_map(|block| {
        let place = block.place();
        here_documents(&block).into_iter().map(move |text| (place.clone(), text))
    });
    let corpus = std::fs::read_dir(root().join("tests/corpus/policies")).expect("the documents of the spec");
    let corpus = corpus.flatten().map(|entry| entry.path());
    let corpus = corpus.filter(|path| !path.to_string_lossy().ends_with(".expected.json")).map(|path| {
        let text = std::fs::read_to_string(&path).expect("a document of the spec");
        (path.display().to_string(), text)
    });
    let mut count = 0;
    for (place, text) in yaml.chain(written).chain(corpus) {
        let parsed = mesh_policy::documents_from_yaml(&text)
            .unwrap_or_else(|problems| panic!("{place}: {problems:?}"));
        for one in parsed {
            let Document::Policy(policy) = one.document else { continue };
            let id = policy.metadata.name.clone();
            let bundle = Bundle {
                version: "1".into(),
                policies: vec![BundlePolicy { id, version: 1, policy }],
                settings: Settings::default(),
                ..Bundle::default()
            };
            let detector = Rc::new(mesh_detect::Detector::new());
            if let Err(refused) = mesh_engine::compile(&bundle, detector) {
                panic!("{place}: {refused:?}");
            }
            count += 1;
        }
    }
    assert!(count >= 16, "only {count} policies were found");
}

#[test]
fn the_documents_count_the_types_of_personal_data() {
    let count = |group| mesh_detect::type_group(group).expect("a group").len();
    let said = format!("know {} types of personal data and {} of secrets", count("pii"), count("secrets"));
    let document = std::fs::read_to_string(root().join("docs/detection.md")).expect("docs/detection.md");
    assert!(document.contains(&said), "docs/detection.md does not say that rules {said}");
}

/// `ai-mesh …` and `cargo xtask up -- …`, as the arguments that `ai-mesh` gets.
fn mesh_arguments(line: &str) -> Option<Vec<String>> {
    let line = line.split(['|', '>', '#']).next().unwrap_or_default().trim();
    if let Some(rest) = line.strip_prefix("ai-mesh ") {
        return Some(words(rest));
    }
    let rest = line.strip_prefix("cargo xtask up")?;
    let flags = words(rest.trim().trim_start_matches("--").trim_start());
    Some(std::iter::once("up".to_owned()).chain(flags).collect())
}

/// The arguments of `ai-mesh-judge …`.
fn judge_arguments(line: &str) -> Option<Vec<String>> {
    let line = line.split(['|', '>', '#', '&']).next().unwrap_or_default();
    line.trim().strip_prefix("ai-mesh-judge ").map(words)
}

/// Words of a shell line without expansions; single quotes hold a word together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn command_lines_in_the_documents_are_understood() {
    let mut count = 0;
    let mesh = tool("AI_MESH_BIN");
    let judge = tool("AI_MESH_JUDGE_BIN");
    for block in blocks("sh") {
        let of_mesh = block.text.lines().filter_map(mesh_arguments).map(|words| (&mesh, words));
        let of_judge = block.text.lines().filter_map(judge_arguments).map(|words| (&judge, words));
        for (program, arguments) in of_mesh.chain(of_judge) {
            // With --help the command line is read, flags and values too, and nothing is done.
            let output = Command::new(program).args(&arguments).arg("--help").output();
            let output = output.expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.success(),
                "{}: {} {arguments:?}: {said}",
                block.place(),
                program.display()
            );
            count += 1;
        }
    }
    assert!(count >= 15, "only {count} command lines were found in the documents");
}

/// Runs a snippet whose sidecar address is replaced by the mesh's.
fn run_snippet(mesh: &Mesh, block: &Block, program: &Path, extension: &str, folder: &Path) -> Output {
    let text = block.text.replace("127.0.0.1:10000", &mesh.sidecar.to_string());
    let mut file = tempfile::Builder::new()
        .prefix("snippet-")
        .suffix(&format!(".{extension}"))
        .tempfile_in(folder)
        .expect("a file for the snippet");
    file.write_all(text.as_bytes()).expect("the snippet can be written");
    let output =
        Command::new(program).arg(file.path()).stdin(Stdio::null()).output().expect("the snippet starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", block.place());
    output
}

#[test]
fn snippets_of_the_readme_do_what_it_says() {
    let mesh = Mesh::up("", &[]);
    let readme = |language: &str| {
        let all = blocks(language);
        all.into_iter().filter(|block| block.document.ends_with("README.md")).collect::<Vec<_>>()
    };

    let shell = readme("sh").remove(0);
    let path = shell.text.split(":10000").nth(1).and_then(|rest| rest.split(' ').next()).expect("a path");
    let body = shell.text.split("-d '").nth(1).and_then(|rest| rest.split('\'').next()).expect("a body");
    let answer = mesh.send(&Request::bytes(path, "application/json", body.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("[REDACTED]"), "{}", answer.text());
    assert_eq!(answer.header("x-ai-mesh-decision"), "allow_with_modifications");
    for datum in ["ada@example.com", "4111 1111 1111 1111"] {
        assert!(
            !answer.text().contains(datum) && !mesh.upstream.last_body().contains(datum),
            "{datum} leaked"
        );
    }

    let python = tool("AI_MESH_PYTHON");
    let said: Vec<String> = readme("python")
        .iter()
        .map(|block| run_snippet(&mesh, block, &python, "py", &std::env::temp_dir()))
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .collect();
    let [refusal, message] = &said[..] else { panic!("expected two Python snippets, found {}", said.len()) };
    assert!(refusal.starts_with("403 "), "{refusal}");
    assert!(message.contains("[REDACTED]") && !message.contains("536-90-4399"), "{message}");

    // Beside node_modules, so that Node finds the packages.
    let modules = tool("AI_MESH_NODE_MODULES");
    let folder = modules.parent().expect("a folder holds node_modules");
    let snippet = readme("js").remove(0);
    let tools = run_snippet(&mesh, &snippet, &tool("AI_MESH_NODE"), "mjs", folder);
    assert!(
        String::from_utf8_lossy(&tools.stdout).contains('['),
        "{}",
        String::from_utf8_lossy(&tools.stdout)
    );
}

/// Metrics of Envoy that the documents name are there, with the labels that they name.
#[test]
fn metrics_of_envoy_in_the_documents_are_exposed() {
    let mesh = Mesh::up("", &[]);
    let asked = Request::bytes(
        "/v1/chat/completions",
        "application/json",
        br#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#,
    );
    assert_eq!(mesh.send(&asked).status, 200);
    let document = std::fs::read_to_string(root().join("docs/operations.md")).expect("it is there");
    let rows = document.lines().filter(|line| line.starts_with("| `envoy_"));
    let names: Vec<&str> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    let missing = || {
        let shown = exchange(mesh.admin, &Request::get("/stats/prometheus")).text();
        // A metric with labels is named with some of them.
        let there = |name: &str| match name.split_once('{') {
            Some((name, label)) => shown.lines().any(|line| {
                line.starts_with(&format!("{name}{{")) && line.contains(label.trim_end_matches('}'))
            }),
            None => shown.lines().any(|line| line.starts_with(&format!("{name}{{"))),
        };
        names.iter().filter(|name| !there(name)).map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    // Histograms are shown with Envoy's next flush.
    eventually("they are exposed", || {
        let missing = missing();
        if !missing.is_empty() {
            eprintln!("missing: {missing:?}");
        }
        missing.is_empty().then_some(())
    });
}
