//! Globs over names of agents, tools, models and resources: `*` is any run of characters, `/` included.
use mesh_wire::other_spelling;
use wildmatch::WildMatchPattern;

/// `*` only; a `?` in a name is a plain character, so the single-character wildcard is a character no name has.
type Glob = WildMatchPattern<'*', '\u{10FFFF}'>;

/// A list of globs, one of which has to match.
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

/// Allow and deny lists of one rule: denied names stay denied whatever `allow` says.
#[derive(Debug)]
pub(crate) struct NameGuard {
    /// Place in the document's rule list.
    pub(crate) rule: usize,
    allow: Globs,
    deny: Globs,
    /// What else services call by a name: what is denied is denied under each.
    aliases: fn(&str) -> Vec<String>,
    /// What it is offered as, where a call has another name: what is allowed is allowed under that.
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

    /// Some services (Ollama) know a model in capital and small letters.
    pub(crate) fn of_models(rule: usize, allow: &[String], deny: &[String]) -> Self {
        let (allow, deny) = (Globs::new(allow), Globs::in_any_case(deny));
        NameGuard { rule, allow, deny, aliases: model_aliases, offered_as: |_| &[] }
    }

    /// Why the name is refused, if it is: the entry of the deny list, or nothing where the allow list lacks it.
    pub(crate) fn refuses(&self, name: &str) -> Option<String> {
        let allowed = self.allow.is_empty() || self.allow.matches(name);
        self.denies(name).or((!allowed).then(String::new))
    }

    /// The same of a call of a provider's own tool: what it is offered as may be allowed. Anybody's function may have the name of one.
    pub(crate) fn refuses_own(&self, name: &str) -> Option<String> {
        let offered = (self.offered_as)(name).iter().any(|name| self.allow.matches(name));
        self.refuses(name).filter(|listed| !(listed.is_empty() && offered))
    }

    /// The entry of the deny list that names it, or what it is called besides.
    pub(crate) fn denies(&self, name: &str) -> Option<String> {
        if self.deny.is_empty() {
            return None;
        }
        let entry = self.deny.find(name).map(ToString::to_string);
        entry.or_else(|| (self.aliases)(name).iter().find_map(|name| Some(self.deny.find(name)?.to_string())))
    }
}

/// What a provider's own tool is offered as, by what its calls are called: OpenAI's by their type alone.
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

/// Where Amazon runs a model of several regions: what an inference profile's name has before the model's.
const REGIONS: [&str; 9] = ["us.", "us-gov.", "eu.", "apac.", "jp.", "au.", "ca.", "sa.", "global."];

/// A model's name in small letters, without what says where it is kept (Google's resource, Amazon's ARN, Ollama's registry) or run
/// (Amazon's profiles), and without the tag that Ollama takes where there is none: one name for one model, however it is spelt.
pub(crate) fn bare_model(name: &str) -> String {
    let small = name.to_ascii_lowercase();
    let kept = ["/models/", "/library/", "foundation-model/", "inference-profile/"];
    let mut bare = kept.iter().find_map(|place| small.rsplit_once(place)).map_or(&*small, |(_, bare)| bare);
    for first in ["models/", "library/"] {
        bare = bare.strip_prefix(first).unwrap_or(bare);
    }
    let profile = REGIONS.iter().find_map(|region| bare.strip_prefix(region));
    // What is left is a vendor's: `anthropic.claude-…`.
    bare = profile.filter(|model| model.contains('.')).unwrap_or(bare);
    bare.strip_suffix(":latest").unwrap_or(bare).to_owned()
}

/// What a model is called besides: its bare name, with and without the tag that Ollama takes where there is none.
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
        // Of a function that is called like a call of an own tool.
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
            // A list of allowed names has them as they are asked for.
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
