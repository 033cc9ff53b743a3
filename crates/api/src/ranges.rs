//! Lists in pieces, by Heroku's `Range` header.
//!
//! A client asks `Range: version ..; max=10, order=desc`; the answer tells with `Content-Range`
//! what it got and with `Next-Range` how to ask for more (status 206 then). Reading is lenient,
//! because the official CLI mixes `,` and `;`, leaves a trailing `;` and even sends the header
//! empty. Only attributes that are unique in a list can be asked for: paging by another would skip
//! items that share a value.
//!
//! The bounds follow the direction of the order: with `order=desc`, `10..1` means from 10 down to 1.

use crate::ApiError;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use std::cmp::Ordering;

/// Items of a page when the client names no number.
const DEFAULT_MAX: usize = 200;
/// Items of a page at most.
const MAX: usize = 1000;

/// Where a range begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    value: String,
    /// Whether the item of this value itself is left out.
    exclusive: bool,
}

/// What a client asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    attribute: Option<String>,
    start: Option<Bound>,
    end: Option<Bound>,
    max: Option<usize>,
    descending: bool,
}

impl Range {
    /// Reads the header's value. The error is a sentence for the client.
    fn parse(text: &str) -> Result<Self, String> {
        let mut range = Self::default();
        let mut words = text.split([';', ',']).map(str::trim).filter(|word| !word.is_empty()).peekable();
        if let Some(span) = words.next_if(|word| !is_parameter(word)) {
            range.read_span(span)?;
        }
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match (key.trim(), value.trim()) {
                ("max", value) => {
                    let max = value.parse().ok().filter(|max| *max > 0);
                    range.max = Some(max.ok_or_else(|| format!("`max={value}` is not a positive number."))?);
                }
                ("order", "asc") => range.descending = false,
                ("order", "desc") => range.descending = true,
                ("order", value) => return Err(format!("`order={value}` is neither `asc` nor `desc`.")),
                _ => {}
            }
        }
        Ok(range)
    }

    fn read_span(&mut self, span: &str) -> Result<(), String> {
        let (attribute, bounds) = span.split_once(char::is_whitespace).unwrap_or((span, ".."));
        let (start, end) = bounds
            .trim()
            .split_once("..")
            .ok_or_else(|| format!("`{}` is not a range like `a..b`.", bounds.trim()))?;
        self.attribute = Some(attribute.to_owned());
        let start = start.trim();
        self.start = match start.strip_prefix(']') {
            Some(value) => bound(value, true),
            None => bound(start.trim_start_matches('['), false),
        };
        let end = end.trim();
        self.end = match end.strip_suffix('[') {
            Some(value) => bound(value, true),
            None => bound(end.trim_end_matches(']'), false),
        };
        Ok(())
    }
}

/// `max=10` and its like; an attribute is a bare word.
fn is_parameter(word: &str) -> bool {
    word.split_once('=').is_some_and(|(key, _)| !key.trim().contains(char::is_whitespace))
}

fn bound(value: &str, exclusive: bool) -> Option<Bound> {
    (!value.is_empty()).then(|| Bound { value: value.to_owned(), exclusive })
}

impl<S: Sync> FromRequestParts<S> for Range {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(header::RANGE) else { return Ok(Self::default()) };
        let text = value.to_str().map_err(|_| ApiError::bad_range("The Range header is not text."))?;
        Self::parse(text).map_err(|why| ApiError::bad_range(format!("The Range header is not valid: {why}")))
    }
}

/// A list that can be asked for in pieces.
pub(crate) struct Page {
    body: Vec<Value>,
    attributes: &'static [&'static str],
    content_range: String,
    next_range: Option<String>,
}

impl Page {
    /// Selects from `items` what `range` asks for. `attributes` are the unique properties by which
    /// the list can be ordered, the default first; none means that the list keeps its own order
    /// and comes whole.
    pub(crate) fn select<T: Serialize>(
        range: &Range,
        attributes: &'static [&'static str],
        items: &[T],
    ) -> Result<Self, ApiError> {
        let serialize = |item| serde_json::to_value(item).map_err(|error| ApiError::internal(&error));
        let mut body = items.iter().map(serialize).collect::<Result<Vec<_>, _>>()?;
        let Some(default) = attributes.first() else {
            return Ok(Self { body, attributes, content_range: String::new(), next_range: None });
        };
        let attribute = range.attribute.as_deref().unwrap_or(default);
        if !attributes.contains(&attribute) {
            let message = format!("This list cannot be ordered by `{attribute}`. Use {}.", or(attributes));
            return Err(ApiError::bad_range(message));
        }
        let direction = |order: Ordering| if range.descending { order.reverse() } else { order };
        body.sort_by(|a, b| direction(compare(&a[attribute], &b[attribute])));
        body.retain(|item| {
            let at = |bound: &Bound| direction(compare_to_text(&item[attribute], &bound.value));
            let from = range.start.as_ref().is_none_or(|start| match at(start) {
                Ordering::Greater => true,
                Ordering::Equal => !start.exclusive,
                Ordering::Less => false,
            });
            let to = range.end.as_ref().is_none_or(|end| match at(end) {
                Ordering::Less => true,
                Ordering::Equal => !end.exclusive,
                Ordering::Greater => false,
            });
            from && to
        });
        let max = range.max.unwrap_or(DEFAULT_MAX).min(MAX);
        let more = body.len() > max;
        body.truncate(max);
        let text = |item: Option<&Value>| item.map(|item| plain(&item[attribute])).unwrap_or_default();
        let (first, last) = (text(body.first()), text(body.last()));
        let order = if range.descending { ", order=desc" } else { "" };
        let end = range
            .end
            .as_ref()
            .map_or(String::new(), |end| format!("{}{}", end.value, if end.exclusive { "[" } else { "" }));
        Ok(Self {
            body,
            attributes,
            content_range: format!("{attribute} {first}..{last}; max={max}{order}"),
            next_range: more.then(|| format!("{attribute} ]{last}..{end}; max={max}{order}")),
        })
    }
}

/// `a, b or c`
fn or(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => format!("`{word}`"),
        [head @ .., last] => format!("`{}` or `{last}`", head.join("`, `")),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => plain(a).cmp(&plain(b)),
    }
}

/// Compares an item's value with a bound of the header. A number is compared with a bound that is
/// none as if the bound were beyond every number.
fn compare_to_text(a: &Value, bound: &str) -> Ordering {
    match a.as_i64() {
        Some(a) => bound.parse().map_or(Ordering::Less, |bound: i64| a.cmp(&bound)),
        None => plain(a).as_str().cmp(bound),
    }
}

const ACCEPT_RANGES: HeaderName = header::ACCEPT_RANGES;
const NEXT_RANGE: HeaderName = HeaderName::from_static("next-range");

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let status = if self.next_range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let mut response = (status, axum::Json(self.body)).into_response();
        let mut set = |name: HeaderName, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                response.headers_mut().insert(name, value);
            }
        };
        if !self.attributes.is_empty() {
            set(ACCEPT_RANGES, &self.attributes.join(", "));
            set(header::CONTENT_RANGE, &self.content_range);
        }
        if let Some(next) = &self.next_range {
            set(NEXT_RANGE, next);
        }
        response
    }
}

#[cfg(test)]
#[path = "ranges_tests.rs"]
mod tests;
