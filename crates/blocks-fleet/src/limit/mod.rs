//! Selects the store in which several processes count the requests of an API key together.

mod clock;
mod file;
#[cfg(feature = "redis")]
mod redis;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use blocks_sdk::{LimitStore, LimitStoreError};
use sha2::{Digest, Sha256};

pub use self::file::FileLimitStore;
#[cfg(feature = "redis")]
pub use self::redis::RedisLimitStore;

/// Names the limit of requests for an API key at one base URL, without revealing the key.
///
/// The name is the first half of a SHA-256 hash of the key and the base URL. A slow hash, as for passwords, is not
/// needed: an API key is a long random string, so trying all keys is impossible.
///
/// ```
/// use blocks_fleet::LimitName;
///
/// let name = LimitName::new("my-key", "https://api.blocks.team");
/// assert_eq!(name, LimitName::new(" my-key\n", "https://API.blocks.team/"));
/// assert_ne!(name, LimitName::new("my-other-key", "https://api.blocks.team"));
/// assert_eq!(name.to_string().len(), 32);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitName(String);

impl LimitName {
    /// Creates the name of the limit of `api_key` at `base_url`.
    pub fn new(api_key: &str, base_url: &str) -> Self {
        let base_url = base_url.trim().trim_end_matches('/').to_lowercase();
        let hash = Sha256::new_with_prefix("blocks-fleet limit 1\0")
            .chain_update(base_url)
            .chain_update("\0")
            .chain_update(api_key.trim())
            .finalize();
        Self(
            hash[..16]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Selects where the processes that use an API key count their requests: in files, on a server, or separately.
///
/// ```
/// use blocks_fleet::LimitLocation;
///
/// let folder: LimitLocation = "file:/var/lib/blocks".parse()?;
/// assert_eq!(folder.to_string(), "file:/var/lib/blocks");
/// assert_eq!("off".parse(), Ok(LimitLocation::Off));
/// let server: LimitLocation = "rediss://user:s3cret@valkey.internal:6380".parse()?;
/// assert_eq!(format!("{server:?}"), "rediss://valkey.internal:6380");
/// assert!("localhost:6379".parse::<LimitLocation>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitLocation {
    /// No shared store: each process counts only its own requests.
    Off,
    /// Files in this folder.
    Folder(PathBuf),
    /// Redis or Valkey at this URL, which may contain a password.
    Redis(String),
}

impl LimitLocation {
    /// Returns the folder in which all processes of the user count their requests. The folder is `blocks/limits` in
    /// `XDG_STATE_HOME`, or in `~/.local/state` if that variable contains no absolute path. On Windows, the folder is
    /// in `LOCALAPPDATA`. Returns `None` if no variable contains an absolute path.
    ///
    /// The function `variable` returns the value of the environment variable with the given name.
    ///
    /// ```
    /// use blocks_fleet::LimitLocation;
    ///
    /// let home = |name: &str| (name == "HOME").then(|| "/home/me".into());
    /// # #[cfg(unix)]
    /// assert_eq!(
    ///     LimitLocation::of_user(home).unwrap().to_string(),
    ///     "file:/home/me/.local/state/blocks/limits",
    /// );
    /// ```
    pub fn of_user(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        // The XDG specification says that a relative path counts as not set.
        let folder = |name: &str| {
            let folder = PathBuf::from(variable(name)?);
            folder.is_absolute().then_some(folder)
        };
        let state = match cfg!(windows) {
            true => folder("LOCALAPPDATA"),
            false => folder("XDG_STATE_HOME")
                .or_else(|| Some(folder("HOME")?.join(".local").join("state"))),
        };
        Some(Self::Folder(state?.join("blocks").join("limits")))
    }

    /// Creates the store at this location for the limit with this name. Returns `None` for [`Off`](Self::Off).
    ///
    /// # Errors
    /// The location is a server, and its URL cannot be used or this build lacks the feature `redis`. This method does
    /// not check whether the store can be reached.
    pub fn open(&self, name: &LimitName) -> Result<Option<Arc<dyn LimitStore>>, LimitStoreError> {
        Ok(match self {
            Self::Off => None,
            Self::Folder(folder) => Some(Arc::new(FileLimitStore::new(folder, name))),
            #[cfg(feature = "redis")]
            Self::Redis(url) => Some(Arc::new(RedisLimitStore::new(url, name)?)),
            #[cfg(not(feature = "redis"))]
            Self::Redis(_) => {
                let what = "this program was built without support for Redis and Valkey";
                return Err(LimitStoreError::new(what));
            }
        })
    }
}

impl FromStr for LimitLocation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            _ if text == "off" => Ok(Self::Off),
            Some(("file", folder)) if !folder.is_empty() => Ok(Self::Folder(folder.into())),
            Some(("redis" | "rediss", rest)) if rest.starts_with("//") => {
                Ok(Self::Redis(text.to_owned()))
            }
            // The error does not contain `text`, because `text` can be a URL with a password.
            _ => Err("expected off, file:FOLDER, redis://HOST or rediss://HOST".into()),
        }
    }
}

impl fmt::Display for LimitLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Folder(folder) => write!(f, "file:{}", folder.display()),
            Self::Redis(url) => f.write_str(&without_credentials(url)),
        }
    }
}

/// Returns a URL without user, password, query and fragment, for messages. A password may contain `?` or `#`, so
/// everything from the scheme to the last `@` is omitted, even if this `@` is in the query.
pub(crate) fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    match scheme {
        "" => rest.to_owned(),
        _ => format!("{scheme}://{rest}"),
    }
}

impl fmt::Debug for LimitLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
