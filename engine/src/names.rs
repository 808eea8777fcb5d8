//! Globs over names of agents, tools, models and resources: `*` matches any run of characters, including `/`.
use mesh_wire::other_spelling;
use wildmatch::WildMatchPattern;

/// Only `*`: a `?` in a name is an ordinary character, so the single-character wildcard is a character that no name
/// contains.
type Glob = WildMatchPattern<'*', '\u{10FFFF}'>;

/// A list of globs, one of which must match.
#[derive(Debug, Default)]
pub(crate) struct Globs(Vec<Glob>);

impl Globs {
    pub(crate) fn new(patterns: &[String]) -> Self {
        Globs(patterns.iter().map(|pattern| Glob::new(pattern)).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn in_any_case(patterns: &[String]) -> Self {
        Globs(patterns.iter().map(|pattern| Glob::new_case_insensitive(pattern)).collect())
    }

    fn find(&self, name: &str) -> Option<&Glob> {
        self.0.iter().find(|glob| glob.matches(name))
    }
}

/// The allow and deny lists of one rule: denied names stay denied whatever `allow` says.
#[derive(Debug)]
pub(crate) struct NameGuard {
    /// Index in the document's rule list.
    pub(crate) rule: usize,
    allow: Globs,
    deny: Globs,
    /// Other names that services use for the same thing: if it is denied, it is denied under each of them.
    aliases: fn(&str) -> Vec<String>,
    /// The names that it is offered under, if its calls have another name: what is allowed under those is allowed.
    offered_as: fn(&str) -> &'static [&'static str],
}

impl NameGuard {
    pub(crate) fn of_tools(rule: usize, allow: &[String], deny: &[String]) -> Self {
        let aliases = |name: &str| {
            let offered = own_tool(name).iter().map(|name| (*name).to_owned());
            other_spelling(name).into_iter().chain(offered).collect()
        };
        NameGuard { rule, allow: Globs::new(allow), deny: Globs::new(deny), aliases, offered_as: own_tool }
    }

    /// Some services (Ollama) ignore the case of model names.
    pub(crate) fn of_models(rule: usize, allow: &[String], deny: &[String]) -> Self {
        let (allow, deny) = (Globs::new(allow), Globs::in_any_case(deny));
        NameGuard { rule, allow, deny, aliases: model_aliases, offered_as: |_| &[] }
    }

    /// Why the name is refused, if it is: the entry of the deny list, or an empty text if the allow list lacks it.
    pub(crate) fn refuses(&self, name: &str) -> Option<String> {
        let allowed = self.allow.is_empty() || self.allow.matches(name);
        self.denies(name).or((!allowed).then(String::new))
    }

    /// The same for a call of a provider's own tool, which may be allowed under the name it is offered under. An
    /// ordinary function may have such a name too.
    pub(crate) fn refuses_own(&self, name: &str) -> Option<String> {
        let offered = (self.offered_as)(name).iter().any(|name| self.allow.matches(name));
        self.refuses(name).filter(|listed| !(listed.is_empty() && offered))
    }

    /// The entry of the deny list that matches the name or one of its aliases.
    pub(crate) fn denies(&self, name: &str) -> Option<String> {
        if self.deny.is_empty() {
            return None;
        }
        let entry = self.deny.find(name).map(ToString::to_string);
        entry.or_else(|| (self.aliases)(name).iter().find_map(|name| Some(self.deny.find(name)?.to_string())))
    }
}

/// The names that a provider's own tool is offered under, by the name of its calls: OpenAI's by their type alone.
fn own_tool(call: &str) -> &'static [&'static str] {
    match call {
        "web_search_call" => {
            &["web_search", "web_search_preview", "web_search_2025_08_26", "web_search_preview_2025_03_11"]
        }
        "file_search_call" => &["file_search"],
        "code_interpreter_call" => &["code_interpreter"],
        "image_generation_call" => &["image_generation"],
        "computer_call" => &["computer", "computer_use_preview"],
        "shell_call" => &["shell"],
        "local_shell_call" => &["local_shell"],
        "apply_patch_call" => &["apply_patch"],
        "tool_search_call" => &["tool_search"],
        // Google's.
        "code_execution" => &["codeExecution"],
        // Anthropic's.
        "bash_code_execution" | "text_editor_code_execution" => {
            &["code_execution", "code_execution_20250825", "code_execution_20260120"]
        }
        _ => &[],
    }
}

/// Prefixes in the names of Amazon's inference profiles that run a model in several regions.
const REGIONS: [&str; 9] = ["us.", "us-gov.", "eu.", "apac.", "jp.", "au.", "ca.", "sa.", "global."];

/// A model's name in lower case, without where it is stored (Google's resource, Amazon's ARN, Ollama's registry) or
/// run (Amazon's profiles), and without Ollama's default tag: one name per model, however it is written.
pub(crate) fn bare_model(name: &str) -> String {
    let small = name.to_ascii_lowercase();
    let kept = ["/models/", "/library/", "foundation-model/", "inference-profile/"];
    let mut bare = kept.iter().find_map(|place| small.rsplit_once(place)).map_or(&*small, |(_, bare)| bare);
    for first in ["models/", "library/"] {
        bare = bare.strip_prefix(first).unwrap_or(bare);
    }
    let profile = REGIONS.iter().find_map(|region| bare.strip_prefix(region));
    // The rest has a vendor: `anthropic.claude-…`.
    bare = profile.filter(|model| model.contains('.')).unwrap_or(bare);
    bare.strip_suffix(":latest").unwrap_or(bare).to_owned()
}

/// The aliases of a model: its bare name, with and without Ollama's default tag.
fn model_aliases(name: &str) -> Vec<String> {
    let bare = bare_model(name);
    let tagged = (!bare.contains(':')).then(|| format!("{bare}:latest"));
    std::iter::once(bare).chain(tagged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_decide_by_name() {
        let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        // allow, deny, name, permitted
        let cases: &[(&[&str], &[&str], &str, bool)] = &[
            (&[], &[], "anything", true),
            (&["gpt-4*"], &[], "gpt-4o-mini", true),
            (&["gpt-4*"], &[], "gpt-3.5-turbo", false),
            (&["gpt-4*"], &["gpt-4-32k"], "gpt-4-32k", false),
            (&["calendar.*", "search"], &[], "calendar.create", true),
            (&["calendar.*", "search"], &[], "calendar", false),
            (&["a?c"], &[], "abc", false),
            (&["a?c"], &[], "a?c", true),
            (&[], &["*"], "search", false),
            // OpenAI's own tools, by the type of their calls.
            (&["web_search"], &[], "web_search_call", true),
            (&["web_search_preview"], &[], "web_search_call", true),
            (&["computer_use*"], &[], "computer_call", true),
            (&["web_search"], &[], "shell_call", false),
            (&["codeExecution"], &[], "code_execution", true),
            (&["code_execution"], &[], "bash_code_execution", true),
            (&[], &["code_execution"], "bash_code_execution", false),
            (&["code_execution"], &[], "bash", false),
            (&["search"], &[], "search_call", false),
            (&[], &["shell"], "shell_call", false),
            (&["shell_call"], &["shell"], "shell_call", false),
            (&[], &["shell_call"], "shell_call", false),
            (&[], &["shell"], "local_shell_call", true),
        ];
        for (allow, deny, name, permitted) in cases {
            let guard = NameGuard::of_tools(0, &list(allow), &list(deny));
            assert_eq!(
                guard.refuses_own(name).is_none(),
                *permitted,
                "allow {allow:?} deny {deny:?} name {name}"
            );
        }
        let guard = NameGuard::of_tools(0, &list(&["b*"]), &list(&["x", "a*"]));
        assert_eq!(guard.refuses("abc").as_deref(), Some("a*"));
        assert_eq!(guard.refuses("cde").as_deref(), Some(""));
        // A function whose name equals that of a provider's own tool call.
        let guard = NameGuard::of_tools(0, &list(&["shell"]), &[]);
        assert!(guard.refuses("shell_call").is_some() && guard.refuses_own("shell_call").is_none());
    }
    /// Each row: an entry of a deny list, a name that means the same, and one that does not.
    #[test]
    fn what_is_denied_is_denied_under_all_its_names() {
        let list = |entry: &str| [entry.to_owned()];
        for (entry, same, other) in [
            ("llama3", "LLaMA3", "llama3.1"),
            ("llama3", "llama3:latest", "llama3:70b"),
            ("llama3:latest", "llama3", "llama3:70b"),
            ("llama3", "registry.ollama.ai/library/llama3:latest", "mine/llama3"),
            ("llama3", "library/llama3", "library/llama2"),
            ("gemini-2.5-pro", "models/gemini-2.5-pro", "models/gemini-2.5-flash"),
            ("gemini-2.5-pro", "projects/p/locations/l/publishers/google/models/gemini-2.5-pro", "models/x"),
            ("claude-x", "arn:aws:bedrock:us-east-1::foundation-model/claude-x", "foundation-model/claude-y"),
            ("anthropic.claude-x", "us.anthropic.claude-x", "us.anthropic.claude-y"),
            (
                "anthropic.claude-x",
                "arn:aws:bedrock:eu-west-1:1:inference-profile/global.anthropic.claude-x",
                "us.claude-x",
            ),
        ] {
            let guard = NameGuard::of_models(0, &[], &list(entry));
            assert_eq!(guard.refuses(same).as_deref(), Some(entry), "{same}");
            assert_eq!(guard.refuses(other), None, "{other}");
            // An allow list contains names as they are requested.
            assert!(NameGuard::of_models(0, &list(entry), &[]).refuses(same).is_some(), "{same}");
        }
        for (entry, same, other) in
            [("codeExecution", "code_execution", "code"), ("google_search", "googleSearch", "google_maps")]
        {
            let guard = NameGuard::of_tools(0, &[], &list(entry));
            assert_eq!(guard.refuses(same).as_deref(), Some(entry), "{same}");
            assert_eq!(guard.refuses(other), None, "{other}");
        }
        assert_eq!(NameGuard::of_tools(0, &[], &list("getWeather")).refuses("get_weather"), None);
    }
}
