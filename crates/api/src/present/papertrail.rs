//! Searches that are kept.

use domain::papertrail::Recipient;
use wire::papertrail::{Alert, Search};

pub(crate) fn search(search: &domain::papertrail::Search) -> Search {
    let address = |recipient: &Recipient, email: bool| {
        let address = recipient.address().to_owned();
        (matches!(recipient, Recipient::Email(_)) == email).then_some(address)
    };
    Search {
        id: search.id.0,
        name: search.name.clone(),
        query: search.query.to_string(),
        alert: search.alert.as_ref().map(|alert| Alert {
            every: alert.period.to_string(),
            webhook: address(&alert.to, false),
            email: address(&alert.to, true),
            sent_at: alert.sent_at.map(Into::into),
            failure: alert.failure.clone(),
        }),
        created_at: search.created_at.into(),
        updated_at: search.updated_at.into(),
    }
}
