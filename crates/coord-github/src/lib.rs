//! The forge on GitHub and GitHub Enterprise.
//!
//! [`Github`] is one account on one API; [`GithubForge`] is one repository seen by it. Nothing is
//! decided here, nothing is repeated that may have had an effect, and nothing waits for a rate
//! limit: what has to wait says until when.

mod address;
mod client;
mod credentials;
mod error;
mod forge;
mod github;
mod pages;
mod refusal;
mod secret;
mod stack;
mod wire;

pub use credentials::{AppCredentials, CredentialSource};
pub use error::GithubError;
pub use forge::GithubForge;
pub use github::{Clock, Github, GithubOptions, Trust};
pub use secret::Secret;
