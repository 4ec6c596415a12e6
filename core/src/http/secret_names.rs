//! Recognizes headers that carry credentials by their names.

/// Headers that carry credentials although none of the words below is in their names.
const BY_NAME: [&str; 3] = ["dpop", "sec-websocket-protocol", "x-amzn-oidc-data"];

/// Words that mean a credential as a whole part of a name.
const PARTS: [&str; 10] = [
    "cred", "creds", "jwe", "jws", "otp", "pass", "pwd", "sid", "sig", "totp",
];

/// Words that mean a credential also within a longer part, as in `accesstoken`, `sessionid` or `clientsecret`.
const WITHIN: [&str; 17] = [
    "assertion",
    "bearer",
    "cookie",
    "credential",
    "csrf",
    "hmac",
    "jwt",
    "passcode",
    "passphrase",
    "passw",
    "saml",
    "secret",
    "sessid",
    "session",
    "signature",
    "token",
    "xsrf",
];

/// Words before `key`, with or without a separator, that make it a credential anywhere in the name.
const SECRET_KEYS: [&str; 18] = [
    "access",
    "account",
    "admin",
    "api",
    "app",
    "application",
    "auth",
    "client",
    "customer",
    "encryption",
    "functions",
    "license",
    "master",
    "private",
    "secret",
    "shared",
    "signing",
    "subscription",
];

/// Words before `key` that make it no credential. Every other `key` at the end of a name is one, such as `fastly-key`.
const PLAIN_KEYS: [&str; 18] = [
    "cache",
    "correlation",
    "deduplication",
    "group",
    "hash",
    "idempotency",
    "message",
    "object",
    "partition",
    "primary",
    "public",
    "request",
    "routing",
    "row",
    "shard",
    "sort",
    "surrogate",
    "websocket",
];

/// Returns `true` if the header with this name, in lower case, carries a credential.
pub(crate) fn is_secret(name: &str) -> bool {
    if BY_NAME.contains(&name) {
        return true;
    }
    let mut before = "";
    let mut parts = name
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        if is_secret_part(part) || is_secret_key(before, part, is_last) {
            return true;
        }
        before = part;
    }
    false
}

fn is_secret_part(part: &str) -> bool {
    PARTS.contains(&part)
        || WITHIN.iter().any(|word| part.contains(word))
        || is_authorization(part)
        || part.match_indices("key").any(|(at, _)| {
            let before = part.get(..at).unwrap_or_default();
            SECRET_KEYS.iter().any(|word| before.ends_with(word))
        })
}

/// Returns `true` if a part is `auth`, or ends or starts with it, except for words such as `author` and
/// `authenticated`.
fn is_authorization(part: &str) -> bool {
    let is_person = part.starts_with("author")
        && !part.starts_with("authoriz")
        && !part.starts_with("authoris");
    part.ends_with("auth")
        || part.starts_with("auth") && !is_person && !part.starts_with("authenticated")
}

fn is_secret_key(before: &str, part: &str, is_last: bool) -> bool {
    match part {
        "key" | "keys" => {
            SECRET_KEYS.contains(&before)
                || is_last && !before.is_empty() && !PLAIN_KEYS.contains(&before)
        }
        _ => false,
    }
}
