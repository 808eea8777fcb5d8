//! Whether a word looks like a host's name or number that is sent what follows it, though no scheme stands before.
//!
//! Ordinary text has words of that form too (`main.rs/…`, `Dr.Smith?…`). So it matters whether a program that opens
//! hosts is called in the line, or a tool may take the whole string: then every doubt is for a host.

use super::is_quote;

/// Programs and functions that open what they are given.
const COMMANDS: &[&str] = &[
    "curl",
    "wget",
    "http",
    "https",
    "xh",
    "fetch",
    "urlopen",
    "lynx",
    "iwr",
    "irm",
    "webrequest",
    "restmethod",
    "ping",
    "ping6",
    "dig",
    "host",
    "nslookup",
    "resolve",
    "traceroute",
    "nc",
    "ncat",
    "netcat",
    "telnet",
    "ssh",
    "scp",
    "ftp",
];

/// Names of members in programs, and endings of files, that are no top-level domains.
const FILES: &[&str] = &[
    "address", "count", "field", "index", "key", "length", "number", "size", "status", "text", "title",
    "type", "user", "value", "avi", "bak", "bat", "bz2", "cfg", "conf", "cpp", "cs", "css", "csv", "dll",
    "doc", "docx", "eml", "exe", "gif", "go", "gz", "hpp", "htm", "html", "ini", "ipynb", "jar", "jpeg",
    "jpg", "js", "json", "jsonl", "jsx", "kt", "lock", "log", "lua", "mp3", "mp4", "msg", "odt", "parquet",
    "pdf", "php", "png", "ppt", "pptx", "ps1", "rb", "rtf", "sql", "svg", "tar", "tgz", "tmp", "toml", "ts",
    "tsx", "txt", "vue", "wav", "webp", "xls", "xlsx", "xml", "yaml", "yml",
];

/// Endings of files and members that are top-level domains too.
const FILES_OR_DOMAINS: &[&str] = &["email", "java", "md", "mov", "name", "py", "rs", "sh", "zip"];

/// What a name's last label says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// No top-level domain has this form.
    No,
    /// Of a file.
    File,
    /// Of a file, or a top-level domain.
    Either,
    Domain,
}

impl Last {
    pub(crate) fn of(label: &str) -> Last {
        let label = label.to_ascii_lowercase();
        match label.chars().filter(|c| c.is_alphabetic()).count() {
            0 | 1 => Last::No,
            _ if FILES.contains(&&*label) => Last::File,
            _ if FILES_OR_DOMAINS.contains(&&*label) => Last::Either,
            _ => Last::Domain,
        }
    }
}

/// The longest run of letters and digits that is told from others.
const RUN: usize = 12;

/// The current run of letters and digits, and the words of the line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Words {
    host: Host,
    six: Six,
    /// Letters in lower case. Kept behind the run until the next one begins.
    run: [u8; RUN],
    length: usize,
    /// The run has ended.
    ended: bool,
    /// A label behind a dot begins with a capital letter.
    capital: bool,
    /// The word began at the beginning of a string in a tool's arguments.
    fresh: bool,
    /// The word begins with a digit.
    number: bool,
    /// A program of [`COMMANDS`] is called in this line.
    command: bool,
    /// What may be a host stands before, in this word: one that is asked has a `=` in its query.
    doubtful: bool,
}

/// What a byte makes of the word before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    No,
    /// A host is sent what follows, up to the word's end as ordinary text has it.
    Text,
    /// The same, up to white space or an enclosing quotation mark.
    String,
    /// The same, up to white space: a shell joins quoted and unquoted pieces.
    Command,
}

impl Words {
    /// Whether a host is sent what follows the byte.
    pub(super) fn asked(&self, b: u8) -> Asked {
        let sure = self.command || self.fresh;
        let how = match b {
            _ if self.command => Asked::Command,
            b'/' if !sure => Asked::Text,
            _ => Asked::String,
        };
        let is =
            self.doubtful && b == b'=' || matches!(b, b'/' | b'?') && self.is_host(b, sure) == Some(true);
        if is { how } else { Asked::No }
    }

    /// `None` if it is doubtful.
    fn is_host(&self, b: u8, sure: bool) -> Option<bool> {
        match self.host {
            Host::Number(3) | Host::NumberDot(3) | Host::Port | Host::Given | Host::Back(true) => Some(true),
            Host::Number(_) | Host::NumberDot(_) => Some(self.command),
            Host::Label => Some(self.command && self.number),
            Host::Name | Host::Dot(true) | Host::Back(false) => match self.last() {
                _ if self.command => Some(true),
                Last::No => Some(false),
                Last::File => None,
                Last::Either | Last::Domain if sure => Some(true),
                Last::Domain if !self.capital && b == b'/' => Some(true),
                Last::Either | Last::Domain => None,
            },
            _ => Some(false),
        }
    }

    fn last(&self) -> Last {
        let run = self.run.get(..self.length).and_then(|run| std::str::from_utf8(run).ok());
        run.map_or(Last::Domain, Last::of)
    }

    /// Reads a byte as it is written; `begins` at the beginning of a string in a tool's arguments, `before` is the
    /// byte before.
    pub(super) fn read(&mut self, b: u8, before: u8, begins: bool) {
        let sure = self.command || self.fresh;
        let doubtful = matches!(b, b'/' | b'?') && self.is_host(b, sure).is_none();
        self.doubtful = doubtful || self.doubtful && !b.is_ascii_whitespace() && !ends(b);
        let part = b.is_ascii_alphanumeric() || !b.is_ascii();
        if !part && !self.ended {
            let run = self.run.get(..self.length).unwrap_or_default();
            self.command |= b != b':' && COMMANDS.iter().any(|command| command.as_bytes() == run);
        }
        if b == b'\n' && before != b'\\' {
            self.command = false;
        }
        let host = self.host;
        self.six = self.six.next(b);
        self.host = match self.six {
            Six::Closed(colons) if colons >= 7 || self.command && colons >= 2 => Host::Given,
            _ => host.next(b, self.command),
        };
        if self.host == Host::Begin {
            self.capital = false;
        }
        if matches!(host, Host::Begin | Host::Lead) && part {
            self.fresh = begins;
            self.number = b.is_ascii_digit();
        }
        self.capital |= before == b'.' && b.is_ascii_uppercase();
        if part {
            self.add(b.to_ascii_lowercase());
        }
        self.ended = !part;
    }

    fn add(&mut self, b: u8) {
        if self.ended {
            self.length = 0;
        }
        if let Some(place) = self.run.get_mut(self.length) {
            *place = b;
        }
        self.length = self.length.saturating_add(1);
    }

    /// A string has ended or begins: nothing goes on over its quotation marks.
    pub(super) fn cut(&mut self) {
        *self = Words::default();
    }

    /// What was read last is a value: not itself the host that is asked, except the number of one, or where a program
    /// may take it. It may be the first label of one.
    pub(super) fn is_value(&mut self) {
        if !self.command && self.host != Host::Number(3) {
            *self = Words { host: Host::Label, ..Words::default() };
        }
    }

    pub(super) fn command(&self) -> bool {
        self.command
    }
}

/// Whether a byte ends an address without a scheme in ordinary text.
pub(super) fn ends(b: u8) -> bool {
    matches!(b, b'|' | b',' | b';' | b')' | b']') || is_quote(b)
}

/// How far a word looks like a host name or an IP address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Host {
    /// It may begin here.
    #[default]
    Begin,
    No,
    /// After a dot before the first label.
    Lead,
    /// In the first label, or in one that cannot be a host's last.
    Label,
    /// After a label's dot; whether the label may be a host's last, and the dot the root's.
    Dot(bool),
    /// In a label after a dot that begins with a letter.
    Name,
    /// In a label of digits, after this many others.
    Number(u8),
    /// After the dot of such a label.
    NumberDot(u8),
    /// In its port.
    Port,
    /// After an address of version 6 in brackets, or what a shell puts in.
    Given,
    /// After a host and a backslash, which shells need before a question mark; whether it is surely one.
    Back(bool),
}

impl Host {
    fn next(self, b: u8, command: bool) -> Host {
        let letter = b.is_ascii_alphabetic() || !b.is_ascii();
        let hex = b.is_ascii_hexdigit() || matches!(b, b'x' | b'X');
        let digit = b.is_ascii_digit();
        let sign = matches!(b, b'-' | b'_');
        match self {
            // A shell takes them away.
            _ if command && (is_quote(b) || b == b'\\') && self != Host::No => self,
            // Or puts something in.
            _ if command && matches!(b, b'$' | b'}' | b')') => Host::Given,
            Host::Given if command && (letter || digit || sign || matches!(b, b'.' | b'{' | b'(')) => self,
            Host::No if letter || digit || sign || matches!(b, b'.' | b'/') => Host::No,
            Host::Begin | Host::Back(_) if digit => Host::Number(0),
            Host::Begin | Host::Back(_) | Host::Lead if letter || digit => Host::Label,
            Host::Begin if b == b'.' => Host::Lead,
            Host::Dot(_) | Host::NumberDot(_) if letter => Host::Name,
            Host::Dot(_) if digit => Host::Label,
            Host::NumberDot(before) if digit => Host::Number(before.saturating_add(1)),
            Host::Number(_) if digit || hex => self,
            Host::Port if digit => self,
            Host::Number(_) if letter || sign => Host::Label,
            Host::Number(before) if b == b'.' => Host::NumberDot(before),
            Host::Label | Host::Name if letter || digit || sign => self,
            Host::Label | Host::Name if b == b'.' => Host::Dot(self == Host::Name),
            Host::Name | Host::Dot(true) | Host::Number(3) | Host::Given if b == b':' => Host::Port,
            Host::Name | Host::Dot(true) if b == b'\\' => Host::Back(false),
            Host::Number(3) | Host::Given | Host::Port if b == b'\\' => Host::Back(true),
            _ if sign || matches!(b, b'.' | b'/') => Host::No,
            _ => Host::Begin,
        }
    }
}

/// How far an address of version 6 in brackets has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Six {
    #[default]
    No,
    /// This many colons; two in a row stand for those that are left out. Whether the last byte is one.
    Open(u8, bool),
    Closed(u8),
}

impl Six {
    fn next(self, b: u8) -> Six {
        match self {
            _ if b == b'[' => Six::Open(0, false),
            Six::Open(colons, true) if b == b':' => Six::Open(colons.saturating_add(7), false),
            Six::Open(colons, false) if b == b':' => Six::Open(colons.saturating_add(1), true),
            Six::Open(colons, _) if b.is_ascii_hexdigit() || b == b'.' => Six::Open(colons, false),
            Six::Open(colons, _) if b == b']' => Six::Closed(colons),
            _ => Six::No,
        }
    }
}
