//! Collaborators: `/apps/{app}/collaborators`.

use crate::{AppRef, Identity, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A person's access to an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collaborator {
    pub id: Uuid,
    pub app: AppRef,
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// `owner` or `collaborator`.
    pub role: Option<String>,
    pub user: User,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Something a person may do with an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    pub name: String,
    pub description: String,
}

/// Who has access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: Uuid,
    pub email: String,
    pub federated: bool,
}

/// Body of `POST /apps/{app}/collaborators`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// By id, by e-mail address, or `~`.
    pub user: Identity,
    /// Whether to send no message to the person.
    #[serde(default)]
    pub silent: bool,
}
