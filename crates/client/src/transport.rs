//! Requests and answers: addresses, headers, errors, pages.

use crate::{ClientError, Config, SetUpError, trust};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RANGE};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// The version of the API with every property of the schema.
const ACCEPTED: &str = "application/vnd.heroku+json; version=3.sdk";
const NEXT_RANGE: HeaderName = HeaderName::from_static("next-range");
/// How long the API may take for one answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it may take for one that means work.
const LONG_PATIENCE: Duration = Duration::from_mins(15);
/// For what lasts; there is no way to say "without".
const FOR_EVER: Duration = Duration::from_hours(24 * 365);
const CONNECT: Duration = Duration::from_secs(10);
/// A call that changes nothing is tried again so often when the API cannot be reached.
const RETRIES: u32 = 3;
const FIRST_REST: Duration = Duration::from_millis(200);
/// Pages of one list at most; the API never needs so many.
const PAGES: usize = 1000;

/// A connection to one API, as one person. Clones share it.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    base: Url,
    authorization: Option<HeaderValue>,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    pub fn new(config: &Config) -> Result<Self, SetUpError> {
        let bad_address = || SetUpError::Address(config.api_url.clone());
        let base = Url::parse(&config.api_url).map_err(|_| bad_address())?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(bad_address());
        }
        // Plain HTTP is for this machine or a tunnel; only Kigo's own authority matters then.
        let system = base.scheme() == "https";
        let tls = trust::tls(config.authority.as_deref(), system)?;
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .user_agent(&config.user_agent)
            .connect_timeout(CONNECT);
        if is_this_machine(&base) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(SetUpError::Http)?;
        let authorization = config.token.as_deref().map(|token| sensitive("Bearer ", token)).transpose()?;
        Ok(Self { http, tls: Arc::new(tls), base, authorization })
    }

    /// Origin of the API.
    pub fn api_url(&self) -> &Url {
        &self.base
    }

    /// Whether the token crosses a network that others may read.
    pub fn is_exposed(&self) -> bool {
        self.base.scheme() == "http" && !is_this_machine(&self.base)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, ClientError> {
        let request = || self.request(Method::GET, path);
        read(self.send_again(request).await?).await
    }

    /// The same with words about what is wanted.
    pub(crate) async fn get_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        let request = || self.request_to(Method::GET, url.clone());
        read(self.send_again(request).await?).await
    }

    /// Reads a list to its end, page by page. `range` chooses order and size of the first page;
    /// with a size the first page is all.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        range: Option<&str>,
    ) -> Result<Vec<T>, ClientError> {
        let single = range.is_some_and(|range| range.contains("max="));
        let mut range = range.map(HeaderValue::from_str).transpose().ok().flatten();
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let request = || {
                let request = self.request(Method::GET, path);
                match &range {
                    Some(range) => request.header(RANGE, range.clone()),
                    None => request,
                }
            };
            let response = self.send_again(request).await?;
            let next = response.headers().get(NEXT_RANGE).cloned();
            all.extend(read::<Vec<T>>(response).await?);
            match next {
                Some(next) if !single => range = Some(next),
                _ => break,
            }
        }
        Ok(all)
    }

    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        read(send(self.request(method, path).json(body)).await?).await
    }

    /// The same with other headers; looking an image over may take as long as a build of one.
    pub(crate) async fn send_with<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        headers: HeaderMap,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.request(method, path).headers(headers).timeout(LONG_PATIENCE);
        read(send(request.json(body)).await?).await
    }

    /// Opens something that lasts: the answer may be read for any time.
    pub(crate) async fn open(&self, path: &[&str], headers: HeaderMap) -> Result<Response, ClientError> {
        send(self.request(Method::GET, path).headers(headers).timeout(FOR_EVER)).await
    }

    /// The headers of an answer.
    pub(crate) async fn head(&self, path: &[&str]) -> Result<HeaderMap, ClientError> {
        Ok(self.send_again(|| self.request(Method::HEAD, path)).await?.headers().clone())
    }

    /// A call with neither body nor an answer that matters.
    pub(crate) async fn act(&self, method: Method, path: &[&str]) -> Result<(), ClientError> {
        send(self.request(method, path)).await.map(|_| ())
    }

    pub(crate) async fn send_as<T: DeserializeOwned>(
        &self,
        email: &str,
        password: &str,
        second_factor: Option<&str>,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let mut request =
            self.http.post(self.url(path)).header(ACCEPT, ACCEPTED).basic_auth(email, Some(password));
        if let Some(code) = second_factor {
            request = request.header("Heroku-Two-Factor-Code", code);
        }
        read(send(request.json(body).timeout(PATIENCE)).await?).await
    }

    /// Sends bytes to an address that the API gave and that needs no credentials.
    pub(crate) async fn put(&self, url: &str, body: Vec<u8>) -> Result<(), ClientError> {
        send(self.http.put(url).body(body).timeout(LONG_PATIENCE)).await.map(|_| ())
    }

    /// Follows an address that the API gave and that needs no credentials; the body may take
    /// any time.
    pub(crate) async fn follow(&self, url: &str, headers: HeaderMap) -> Result<Response, ClientError> {
        let response = self.http.get(url).headers(headers).send().await;
        response.map_err(|source| ClientError::Transport { url: bare(url), source })
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.request_to(method, self.url(path))
    }

    fn request_to(&self, method: Method, url: Url) -> RequestBuilder {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        self.http.request(method, url).headers(headers).timeout(PATIENCE)
    }

    /// The address of a resource; whatever a segment contains stays within it.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        // Addresses with a host always have a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        url
    }

    async fn send_again(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, ClientError> {
        let mut rest = FIRST_REST;
        for _ in 0..RETRIES {
            match send(request()).await {
                Err(ClientError::Transport { source, .. }) if source.is_connect() => {
                    tokio::time::sleep(rest).await;
                    rest *= 2;
                }
                outcome => return outcome,
            }
        }
        send(request()).await
    }
}

/// Whether the API is on this machine, where no proxy can reach it.
fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A header that is kept out of logs.
fn sensitive(scheme: &str, secret: &str) -> Result<HeaderValue, SetUpError> {
    let mut value = HeaderValue::from_str(&format!("{scheme}{secret}")).map_err(|_| SetUpError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn send(request: RequestBuilder) -> Result<Response, ClientError> {
    let response = request.send().await.map_err(transport)?;
    let status = response.status();
    if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    let url = bare(response.url().as_str());
    let text = response.text().await.unwrap_or_default();
    Err(match serde_json::from_str::<wire::Error>(&text) {
        Ok(error) => ClientError::Api { status: status.as_u16(), error },
        Err(_) => ClientError::Foreign { url, status: status.as_u16() },
    })
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let url = bare(response.url().as_str());
    let bytes = response.bytes().await.map_err(transport)?;
    serde_json::from_slice(&bytes).map_err(|source| ClientError::Shape { url, source })
}

fn transport(source: reqwest::Error) -> ClientError {
    let url = source.url().map(|url| bare(url.as_str())).unwrap_or_default();
    // The address is in the message already, without its secrets.
    ClientError::Transport { url, source: source.without_url() }
}

/// An address as it may be shown: streams carry their secret in path or query.
fn bare(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => String::new(),
    }
}
