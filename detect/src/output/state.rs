//! What must be known of the text before.

/// The state of a search. The default is the beginning of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputState {
    /// The previous character.
    pub(crate) before: Option<char>,
    /// Nothing of the line has been read yet.
    pub(crate) line_begins: bool,
    /// The line is blank so far.
    pub(crate) blank: bool,
    /// Inside a fenced block: the fence's character, and how many of them.
    pub(crate) fence: Option<(char, usize)>,
    /// Something was read after which readers may disagree on where code is: nothing counts as code any more.
    pub(crate) doubtful: bool,
    /// The paragraph has a backtick that begins no code: its other backticks may mean anything.
    pub(crate) loose: bool,
    /// Inside an HTML tag.
    pub(crate) tag: Option<TagAt>,
    /// The quotation mark of the value in which that tag begins, if it does in one: to some readers the value goes on.
    pub(crate) outer: Option<char>,
    /// What follows a finding, up to its end.
    pub(crate) rest: Option<Rest>,
}

impl Default for OutputState {
    fn default() -> Self {
        OutputState {
            before: None,
            line_begins: true,
            blank: true,
            fence: None,
            doubtful: false,
            loose: false,
            tag: None,
            outer: None,
            rest: None,
        }
    }
}

/// The position in a tag (HTML, sections 13.2.5.32 to 13.2.5.39).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TagAt {
    /// In the element's name: whatever is not a blank, a slash or a `>` belongs to it.
    Element,
    BeforeName,
    AfterName,
    BeforeValue,
    /// In a value that ends with this quotation mark, or, without one, with a blank.
    Value(Option<char>),
}

/// What follows a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The rest of an address.
    Address,
    /// The rest of a tag.
    Tag,
}
