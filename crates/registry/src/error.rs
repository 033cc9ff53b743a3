//! Errors in the registry's shape: `{"errors": [{"code", "message", "detail"}]}`.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use image::StoreError;

/// The codes of the OCI distribution specification, and a few of Docker's for what it has none for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestTooLarge,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    TagInvalid,
    RangeInvalid,
    Unauthorized,
    Denied,
    Unsupported,
    TooManyRequests,
    PaginationInvalid,
    NotFound,
    /// The disk is full.
    Unavailable,
    Unknown,
}

impl Code {
    /// The word for programs, and the HTTP status.
    pub(crate) fn parts(self) -> (&'static str, StatusCode) {
        match self {
            Self::BlobUnknown => ("BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::BlobUploadInvalid => ("BLOB_UPLOAD_INVALID", StatusCode::BAD_REQUEST),
            Self::BlobUploadUnknown => ("BLOB_UPLOAD_UNKNOWN", StatusCode::NOT_FOUND),
            Self::DigestInvalid => ("DIGEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestBlobUnknown => ("MANIFEST_BLOB_UNKNOWN", StatusCode::BAD_REQUEST),
            Self::ManifestInvalid => ("MANIFEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestTooLarge => ("MANIFEST_INVALID", StatusCode::PAYLOAD_TOO_LARGE),
            Self::ManifestUnknown => ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND),
            Self::NameInvalid => ("NAME_INVALID", StatusCode::BAD_REQUEST),
            Self::NameUnknown => ("NAME_UNKNOWN", StatusCode::NOT_FOUND),
            Self::SizeInvalid => ("SIZE_INVALID", StatusCode::PAYLOAD_TOO_LARGE),
            Self::TagInvalid => ("TAG_INVALID", StatusCode::BAD_REQUEST),
            Self::RangeInvalid => ("RANGE_INVALID", StatusCode::RANGE_NOT_SATISFIABLE),
            Self::Unauthorized => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED),
            Self::Denied => ("DENIED", StatusCode::FORBIDDEN),
            Self::Unsupported => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED),
            Self::TooManyRequests => ("TOOMANYREQUESTS", StatusCode::TOO_MANY_REQUESTS),
            Self::PaginationInvalid => ("PAGINATION_NUMBER_INVALID", StatusCode::BAD_REQUEST),
            Self::NotFound => ("NOT_FOUND", StatusCode::NOT_FOUND),
            Self::Unavailable => ("UNAVAILABLE", StatusCode::INSUFFICIENT_STORAGE),
            Self::Unknown => ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// What is answered instead.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The thing is there, and cannot be treated like this.
    pub(crate) fn method() -> Self {
        Self::new(Code::Unsupported, "The registry does not do this with what is at this address.")
    }

    /// Nobody is logged in.
    pub(crate) fn unauthorized() -> Self {
        let message = "Log in with any user name and an API token as the password.";
        let realm = HeaderValue::from_static("Basic realm=\"Kigo\"");
        Self::new(Code::Unauthorized, message).with(header::WWW_AUTHENTICATE, realm)
    }

    /// A fault of this server's own; its cause is logged and not told.
    pub(crate) fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        if ops::is_disk_full(cause) {
            tracing::error!("a request to the registry was refused: the disk is full");
            return Self::new(Code::Unavailable, ops::DISK_FULL);
        }
        tracing::error!(cause, "a request to the registry failed");
        Self::new(
            Code::Unknown,
            "There was an error inside Kigo. Whoever runs this server finds it in the log.",
        )
    }

    /// For what is refused because something refers to it.
    pub(crate) fn in_use(error: ops::Error) -> Self {
        match error {
            ops::Error::Conflict(message) => Self::new(Code::Unsupported, message),
            error => error.into(),
        }
    }
}

impl From<ops::Error> for Failure {
    fn from(error: ops::Error) -> Self {
        let code = match &error {
            ops::Error::Internal(cause) => return Self::internal(cause.as_ref()),
            ops::Error::Unauthorized(_) => return Self::unauthorized(),
            ops::Error::Forbidden(_) => Code::Denied,
            ops::Error::NotFound { resource, .. } => match *resource {
                "blob" => Code::BlobUnknown,
                "manifest" => Code::ManifestUnknown,
                "part" => Code::ManifestBlobUnknown,
                "upload" => Code::BlobUploadUnknown,
                _ => Code::NameUnknown,
            },
            ops::Error::Conflict(_) | ops::Error::RateLimit => Code::TooManyRequests,
            ops::Error::BadRequest(_)
            | ops::Error::InvalidParams(_)
            | ops::Error::ConfirmationRequired { .. } => Code::NameInvalid,
            ops::Error::DiskFull => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NoUpload(_) => {
                Self::new(Code::BlobUploadUnknown, "There is no such upload any more.")
            }
            StoreError::UploadBusy(_) => {
                Self::new(Code::BlobUploadInvalid, "Another request is sending to this upload.")
            }
            StoreError::UploadOffset { size, .. } => {
                Self::new(Code::RangeInvalid, format!("This upload goes on at byte {size}."))
            }
            StoreError::TooLarge { limit } => Self::new(
                Code::SizeInvalid,
                format!("The blob is larger than {} MiB, which is the limit of this registry.", limit >> 20),
            ),
            StoreError::DigestMismatch { expected, actual } => Self::new(
                Code::DigestInvalid,
                format!("What was sent is {actual}, but {expected} was announced. Send it again."),
            ),
            _ => Self::internal(&error),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (code, status) = self.code.parts();
        let body = serde_json::json!({ "errors": [{ "code": code, "message": self.message, "detail": {} }] });
        let mut response = (status, axum::Json(body)).into_response();
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
