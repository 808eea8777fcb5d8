//! Bounds on a module's text, checked before anything recursive reads it.
//!
//! The parser bounds nested expressions itself, but not chains (`a + a + a + …`, `x[0][0][0]…`), each link of which is
//! one level more of its syntax tree and one more call on the stack of everything that walks it. A stack that
//! overflows cannot be caught, least of all in the sidecar, so chains are counted on the tokens. Brackets are bounded
//! more tightly than the parser does, because it reads some of them twice, and what is within them four times.
use regorus::unstable::{Lexer, Source, Token, TokenKind};

use crate::RegoError;
use crate::program::Module;

/// Largest module, in bytes.
pub(crate) const MAX_BYTES: usize = 64 * 1024;
/// Most operators and index brackets in one chain.
pub(crate) const MAX_CHAIN: usize = 64;
/// Most open brackets at a time.
pub(crate) const MAX_NESTING: usize = 12;
/// Largest exponent of a number: that of double precision.
const MAX_EXPONENT: u32 = 308;

/// Most modules of one rule, and their largest size together, in bytes.
const MAX_MODULES: usize = 64;
const MAX_TOGETHER: usize = 512 * 1024;

/// What is wrong with the modules together.
pub(crate) fn together(modules: &[Module]) -> Option<RegoError> {
    let bytes: usize = modules.iter().map(|module| module.source.len()).sum();
    if modules.len() > MAX_MODULES {
        let found = modules.len();
        return Some(RegoError::general(format!(
            "there are {found} modules; at most {MAX_MODULES} are allowed"
        )));
    }
    (bytes > MAX_TOGETHER).then(|| {
        RegoError::general(format!(
            "the modules have {bytes} bytes; at most {MAX_TOGETHER} are allowed together"
        ))
    })
}

/// Reads the module's tokens once.
pub(crate) fn scan(module: &Module) -> Result<(), RegoError> {
    let refuse = |line, column, message| Err(RegoError::at(&module.name, line, column, message));
    if module.source.len() > MAX_BYTES {
        let bytes = module.source.len();
        return refuse(1, 1, format!("the module has {bytes} bytes; at most {MAX_BYTES} are allowed"));
    }
    let source = Source::from_contents(module.name.clone(), module.source.clone())
        .map_err(|error| RegoError::from_compile(&error))?;
    let mut lexer = Lexer::new(&source);
    let mut chains = Chains::new();
    loop {
        let token = lexer.next_token().map_err(|error| RegoError::from_compile(&error))?;
        if token.0 == TokenKind::Eof {
            return Ok(());
        }
        let (line, column) = (token.1.line, token.1.col);
        if token.0 == TokenKind::Number && is_beyond(token.1.text()) {
            return refuse(line, column, format!("a number with an exponent over {MAX_EXPONENT}"));
        }
        let (links, brackets) = chains.read(&token);
        if links > MAX_CHAIN {
            return refuse(
                line,
                column,
                format!(
                    "more than {MAX_CHAIN} operators in one expression; give parts of it names of their own"
                ),
            );
        }
        if brackets > MAX_NESTING {
            return refuse(
                line,
                column,
                format!(
                    "more than {MAX_NESTING} open brackets; give parts of the expression names of their own"
                ),
            );
        }
    }
}

/// The interpreter writes out all digits of a number, which one with few characters can have millions of.
fn is_beyond(number: &str) -> bool {
    let exponent = number.split_once(['e', 'E']).map(|(_, exponent)| exponent.trim_start_matches(['+', '-']));
    exponent.is_some_and(|exponent| exponent.parse::<u32>().map_or(true, |exponent| exponent > MAX_EXPONENT))
}

/// Counts the links of the chain that each open bracket is in the middle of.
struct Chains {
    /// The innermost bracket's chain, and outside of it those of the brackets around.
    links: usize,
    outer: Vec<usize>,
    /// Whether the last token ended an operand, so that an operand now begins a new expression.
    after_operand: bool,
    line: u32,
}

impl Chains {
    fn new() -> Self {
        Chains { links: 0, outer: Vec::new(), after_operand: false, line: 0 }
    }

    /// Takes the next token; gives the links of the current chain and the number of open brackets.
    fn read(&mut self, token: &Token) -> (usize, usize) {
        let text = token.1.text();
        let same_line = token.1.line == self.line;
        self.line = token.1.line;
        let ends_operand = match token.0 {
            TokenKind::Symbol => self.symbol(text, same_line),
            TokenKind::Ident if text == "in" => {
                self.links += 1;
                false
            }
            TokenKind::Ident if matches!(text, "not" | "some" | "every" | "if" | "else" | "with" | "as") => {
                self.begin();
                false
            }
            // `a -1`: the sign was read as part of the number, and the parser makes a subtraction of it.
            TokenKind::Number if self.after_operand && text.starts_with('-') => {
                self.links += 1;
                true
            }
            _ => {
                self.begin();
                true
            }
        };
        self.after_operand = ends_operand;
        (self.links, self.outer.len())
    }

    /// An operand or a keyword after an operand begins a new expression.
    fn begin(&mut self) {
        if self.after_operand {
            self.links = 0;
        }
    }

    fn symbol(&mut self, text: &str, same_line: bool) -> bool {
        match text {
            "," | ";" | ":" => self.links = 0,
            "(" | "[" | "{" => {
                match text {
                    "[" if self.after_operand && same_line => self.links += 1,
                    // A call goes on with the chain but adds no link that could be repeated.
                    "(" => {}
                    _ => self.begin(),
                }
                self.outer.push(self.links);
                self.links = 0;
            }
            ")" | "]" | "}" => {
                // A stray one is the parser's to report.
                self.links = self.outer.pop().unwrap_or(0);
                return true;
            }
            _ => self.links += 1,
        }
        false
    }
}
