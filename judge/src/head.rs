//! The shipped head: a logistic regression over what the encoder says of a text.
//!
//! Trained on all-MiniLM-L6-v2 by `judge-train`. What it learned from, how it was measured and where it fails:
//! `docs/injection-model.md`.

/// Numbers of an encoded text that the head looks at: the mean over its tokens and its first token, each of length one.
pub const SIZE: usize = 768;
/// SHA-256 of the `model.safetensors` that the shipped head was trained on.
pub(crate) const ENCODER_SHA256: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
/// The shipped head.
pub(crate) const SHIPPED: &[u8] = include_bytes!("head.bin");

/// A head: a weight for each number, and a bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    weights: Vec<f32>,
    bias: f32,
}

/// The file is not a head.
#[derive(Debug, thiserror::Error)]
#[error("found {0} bytes, expected {expected}: a head is {SIZE} weights and a bias of four bytes each", expected = (SIZE + 1) * 4)]
pub struct HeadError(usize);

impl Head {
    /// Its classes.
    pub const LABELS: [&'static str; 2] = ["BENIGN", "INJECTION"];

    /// A head of these weights, as many as [`SIZE`].
    pub fn new(weights: Vec<f32>, bias: f32) -> Self {
        Head { weights, bias }
    }

    /// Reads a head's bytes: little-endian, the bias last.
    ///
    /// # Errors
    /// They are too few or too many.
    pub fn read(bytes: &[u8]) -> Result<Self, HeadError> {
        let numbers: Vec<f32> =
            bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        match numbers.split_last() {
            Some((bias, weights)) if weights.len() == SIZE && bytes.len() == (SIZE + 1) * 4 => {
                Ok(Head { weights: weights.to_vec(), bias: *bias })
            }
            _ => Err(HeadError(bytes.len())),
        }
    }

    /// The bytes of the head.
    pub fn bytes(&self) -> Vec<u8> {
        self.weights.iter().chain([&self.bias]).flat_map(|weight| weight.to_le_bytes()).collect()
    }

    /// The margin of an encoded text: above 0 it is rather an attack.
    pub fn margin(&self, numbers: &[f32]) -> f32 {
        self.weights.iter().zip(numbers).map(|(weight, number)| weight * number).sum::<f32>() + self.bias
    }

    /// How sure the head is that an encoded text is an attack, from 0 to 1.
    pub fn score(&self, numbers: &[f32]) -> f32 {
        1.0 / (1.0 + (-self.margin(numbers)).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_as_it_was_written() {
        let head = Head::new((0..SIZE).map(|at| at as f32 / 7.0).collect(), -1.5);
        assert_eq!(Head::read(&head.bytes()).unwrap(), head);
        assert!(Head::read(&head.bytes()[4..]).unwrap_err().to_string().contains("3072 bytes"));
        assert!(Head::read(SHIPPED).is_ok());
    }
}
