//! Proxies, as Java knows them: a property for each protocol, and no variable.

use super::{Login, element};
use url::Url;

/// One of them, as Maven's settings describe it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    /// Of what is fetched through it.
    pub(super) protocol: String,
    pub(super) host: String,
    pub(super) port: String,
    /// Hosts that are reached without it, set apart by `|`.
    pub(super) except: String,
    pub(super) login: Option<Login>,
}

impl Proxy {
    pub(super) fn element(&self, index: usize) -> String {
        let id = format!("proxy-{index}");
        let mut values = vec![("id", id.as_str()), ("protocol", &self.protocol), ("host", &self.host)];
        values.extend([("port", self.port.as_str()), ("nonProxyHosts", &self.except)]);
        if let Some((user, password)) = &self.login {
            values.extend([("username", user.as_str()), ("password", password)]);
        }
        element("proxy", &values)
    }
}

/// The proxies that most programs know by variables.
pub(super) fn of_variables(variable: &dyn Fn(&str) -> Option<String>) -> Vec<Proxy> {
    let named = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
    let except = named("NO_PROXY").unwrap_or_default();
    let except = except.split(',').map(str::trim).filter(|host| !host.is_empty());
    let except: Vec<_> =
        except.map(|host| if host.starts_with('.') { format!("*{host}") } else { host.to_owned() }).collect();
    let proxy = |protocol: &str, name| {
        let text = named(name).or_else(|| named("ALL_PROXY"))?;
        let address = if text.contains("://") { text } else { format!("http://{text}") };
        let address = Url::parse(&address).ok()?;
        let login = address.password().map(|password| (address.username().into(), password.into()));
        Some(Proxy {
            protocol: protocol.into(),
            host: address.host_str()?.into(),
            port: address.port_or_known_default().unwrap_or(8080).to_string(),
            except: except.join("|"),
            login,
        })
    };
    [("http", "HTTP_PROXY"), ("https", "HTTPS_PROXY")]
        .into_iter()
        .filter_map(|(protocol, name)| proxy(protocol, name))
        .collect()
}

/// As properties of Java's. What serves for plain HTTP serves for both, as in Maven, unless there is
/// one for HTTPS.
pub(super) fn properties(proxies: &[Proxy]) -> Vec<String> {
    let of = |protocol: &str| proxies.iter().find(|proxy| proxy.protocol.eq_ignore_ascii_case(protocol));
    let mut all = Vec::new();
    for (protocol, proxy) in [("http", of("http")), ("https", of("https").or(of("http")))] {
        let Some(proxy) = proxy else { continue };
        all.push(format!("{protocol}.proxyHost={}", proxy.host));
        all.push(format!("{protocol}.proxyPort={}", proxy.port));
        if let Some((user, password)) = &proxy.login {
            all.push(format!("{protocol}.proxyUser={user}"));
            all.push(format!("{protocol}.proxyPassword={password}"));
        }
    }
    if let Some(proxy) = proxies.iter().find(|proxy| !proxy.except.is_empty()) {
        all.push(format!("http.nonProxyHosts={}", proxy.except));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_properties() {
        for (variables, expected) in [
            (&[][..], &[][..]),
            (
                &[("https_proxy", "http://u:p@proxy.example:3128/"), ("NO_PROXY", "localhost, .example,")],
                &[
                    "https.proxyHost=proxy.example",
                    "https.proxyPort=3128",
                    "https.proxyUser=u",
                    "https.proxyPassword=p",
                    "http.nonProxyHosts=localhost|*.example",
                ],
            ),
            (
                &[("HTTP_PROXY", "a.example:1"), ("HTTPS_PROXY", "http://b.example")],
                &[
                    "http.proxyHost=a.example",
                    "http.proxyPort=1",
                    "https.proxyHost=b.example",
                    "https.proxyPort=80",
                ],
            ),
            (&[("HTTP_PROXY", "http://")], &[]),
        ] {
            let find = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(properties(&of_variables(&find)), expected, "{variables:?}");
        }
    }
}
