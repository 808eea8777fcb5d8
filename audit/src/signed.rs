//! Signed policy bundles (Ed25519, RFC 8032): a line that names the key and holds the signature, then the bundle as it is.
//!
//! Failure law: a sidecar that was given keys runs nothing that none of them signed. Which keys it trusts stands in its
//! bootstrap, not in what it is sent.
use ed25519_dalek::{Signature, Signer, VerifyingKey};

/// How a signed bundle begins.
const MAGIC: &str = "ai-mesh.signed.v1 ";
/// Leading hex digits of a public key, by which a signature names it.
const ID_DIGITS: usize = 16;

/// A key that signs.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl SigningKey {
    /// The key of 32 secret bytes, as 64 hex digits. `None` when they are none.
    pub fn from_hex(secret: &str) -> Option<Self> {
        Some(SigningKey(ed25519_dalek::SigningKey::from_bytes(&bytes(secret)?)))
    }

    /// The public key, as 64 hex digits.
    pub fn public(&self) -> String {
        hex::encode(self.0.verifying_key().as_bytes())
    }

    /// The bundle with its signature before it.
    pub fn sign(&self, bundle: &str) -> String {
        let signature = hex::encode(self.0.sign(bundle.as_bytes()).to_bytes());
        let public = self.public();
        let id = public.get(..ID_DIGITS).unwrap_or_default();
        format!("{MAGIC}{id} {signature}\n{bundle}")
    }
}

/// Public keys that are trusted.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys(Option<Vec<(String, VerifyingKey)>>);

/// Why a bundle is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The list of keys cannot be read.
    #[error(
        "the sidecar's list of policy keys is not what it should be: hex keys of 64 digits, separated by commas"
    )]
    Keys,
    /// It is signed, and nobody knows which keys were given.
    #[error("the bundle is signed, and this Envoy does not tell which keys its bootstrap names (`xds.node`)")]
    NoKeys,
    /// There is no signature.
    #[error("the bundle is not signed, and this sidecar runs only what is")]
    Unsigned,
    /// The signature is by a key that is not trusted.
    #[error("the bundle is signed by a key that this sidecar does not trust")]
    UnknownKey,
    /// The signature is not of this bundle.
    #[error("the bundle's signature does not hold: it was changed on its way")]
    Broken,
}

impl TrustedKeys {
    /// Keys as 64 hex digits each, separated by commas or blanks; none in an empty text.
    ///
    /// # Errors
    /// Something else is in the text.
    pub fn read(text: &str) -> Result<Self, Untrusted> {
        let separated = text.split([',', ' ', '\n', '\t', '\r']).filter(|key| !key.is_empty());
        let key = |text: &str| {
            let key = VerifyingKey::from_bytes(&bytes(text)?).ok()?;
            Some((text.get(..ID_DIGITS)?.to_ascii_lowercase(), key))
        };
        separated
            .map(key)
            .collect::<Option<Vec<_>>>()
            .map(|keys| TrustedKeys(Some(keys)))
            .ok_or(Untrusted::Keys)
    }

    /// The keys could not be read: signed bundles are refused, since there may be keys.
    pub fn unknown() -> Self {
        TrustedKeys(None)
    }

    /// The bundle in what was sent. Without trusted keys, whatever it is signed by.
    ///
    /// # Errors
    /// Why it is not to be run.
    pub fn open<'a>(&self, sent: &'a [u8]) -> Result<&'a [u8], Untrusted> {
        let signed = sent.starts_with(MAGIC.as_bytes());
        let keys = match &self.0 {
            None if signed => return Err(Untrusted::NoKeys),
            None => return Ok(sent),
            Some(keys) => keys,
        };
        let Some((id, signature, bundle)) = parts(sent) else {
            return if keys.is_empty() && !signed { Ok(sent) } else { Err(Untrusted::Unsigned) };
        };
        if keys.is_empty() {
            return Ok(bundle);
        }
        let mut named = keys.iter().filter(|(known, _)| known == id).peekable();
        if named.peek().is_none() {
            return Err(Untrusted::UnknownKey);
        }
        // Strict: neither weak keys nor signatures that have a second form.
        let holds = named.any(|(_, key)| key.verify_strict(bundle, &signature).is_ok());
        if holds { Ok(bundle) } else { Err(Untrusted::Broken) }
    }
}

fn parts(sent: &[u8]) -> Option<(&str, Signature, &[u8])> {
    let end = sent.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = sent.split_at_checked(end)?;
    let (id, signature) = std::str::from_utf8(line).ok()?.strip_prefix(MAGIC)?.split_once(' ')?;
    Some((id, Signature::from_bytes(&bytes(signature)?), rest.get(1..)?))
}

fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const BUNDLE: &str = "{\"version\":\"7\",\n\"policies\":[]}";

    fn key(digit: char) -> SigningKey {
        SigningKey::from_hex(&digit.to_string().repeat(64)).unwrap()
    }

    #[test]
    fn what_is_signed_by_a_trusted_key_is_opened() {
        let (one, other) = (key('1'), key('2'));
        let both = TrustedKeys::read(&format!("{}, {}\n", one.public(), other.public())).unwrap();
        for signer in [&one, &other] {
            assert_eq!(both.open(signer.sign(BUNDLE).as_bytes()), Ok(BUNDLE.as_bytes()));
        }
        let alone = TrustedKeys::read(&one.public()).unwrap();
        assert_eq!(alone.open(other.sign(BUNDLE).as_bytes()), Err(Untrusted::UnknownKey));
        assert_eq!(alone.open(BUNDLE.as_bytes()), Err(Untrusted::Unsigned));
        assert_eq!(alone.open(b""), Err(Untrusted::Unsigned));
        // Who trusts nobody in particular runs both.
        let nobody = TrustedKeys::read("").unwrap();
        assert_eq!(nobody.open(BUNDLE.as_bytes()), Ok(BUNDLE.as_bytes()));
        assert_eq!(nobody.open(one.sign(BUNDLE).as_bytes()), Ok(BUNDLE.as_bytes()));
    }

    /// Another bit anywhere is noticed.
    #[test]
    fn what_was_changed_on_its_way_is_not_opened() {
        let keys = TrustedKeys::read(&key('1').public()).unwrap();
        let signed = key('1').sign(BUNDLE).into_bytes();
        assert!(keys.open(&signed).is_ok());
        for at in 0..signed.len() {
            for bit in 0..8 {
                let mut changed = signed.clone();
                changed[at] ^= 1 << bit;
                // Hex digits have two cases.
                let same = changed[at].is_ascii_alphabetic()
                    && changed.eq_ignore_ascii_case(&signed)
                    && at < MAGIC.len() + 145
                    && at >= MAGIC.len();
                assert!(keys.open(&changed).is_err() || same, "byte {at}, bit {bit}");
            }
        }
        for cut in 0..signed.len() {
            assert!(keys.open(&signed[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        for text in ["x", "00", &"g".repeat(64), &"1".repeat(63), &format!("{},nonsense", key('1').public())]
        {
            assert!(matches!(TrustedKeys::read(text), Err(Untrusted::Keys)), "{text}");
        }
        assert!(!format!("{:?}", key('1')).contains("1111111111"), "the secret is not shown");
    }

    #[test]
    fn what_is_signed_is_not_run_where_keys_can_not_be_asked_for() {
        let sent = key('1').sign(BUNDLE);
        assert_eq!(TrustedKeys::unknown().open(sent.as_bytes()), Err(Untrusted::NoKeys));
        assert_eq!(TrustedKeys::unknown().open(BUNDLE.as_bytes()), Ok(BUNDLE.as_bytes()));
    }
}
