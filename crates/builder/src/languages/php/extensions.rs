//! Which package of Debian has an extension of PHP.

/// Those that every app finds: built in, or in the packages that all get.
const THERE: [&str; 56] = [
    "bz2",
    "calendar",
    "core",
    "ctype",
    "curl",
    "date",
    "dom",
    "exif",
    "ffi",
    "fileinfo",
    "filter",
    "ftp",
    "gettext",
    "hash",
    "iconv",
    "json",
    "libxml",
    "mbstring",
    "mysqli",
    "mysqlnd",
    "opcache",
    "openssl",
    "pcntl",
    "pcre",
    "pdo",
    "pdo_mysql",
    "pdo_pgsql",
    "pdo_sqlite",
    "pgsql",
    "phar",
    "posix",
    "random",
    "readline",
    "reflection",
    "session",
    "shmop",
    "simplexml",
    "sockets",
    "sodium",
    "spl",
    "sqlite3",
    "standard",
    "sysvmsg",
    "sysvsem",
    "sysvshm",
    "tokenizer",
    "xml",
    "xmlreader",
    "xmlwriter",
    "xsl",
    "zend_opcache",
    "zip",
    "zlib",
    // Not the runtime's, and never missing.
    "cgi",
    "cli",
    "fpm",
];

/// Those that have a package of their own, `php8.4-NAME`.
const PACKAGED: [&str; 48] = [
    "amqp",
    "apcu",
    "ast",
    "bcmath",
    "dba",
    "ds",
    "enchant",
    "excimer",
    "gd",
    "gearman",
    "gmagick",
    "gmp",
    "gnupg",
    "http",
    "igbinary",
    "imagick",
    "inotify",
    "intl",
    "ldap",
    "mailparse",
    "maxminddb",
    "mcrypt",
    "memcache",
    "memcached",
    "mongodb",
    "msgpack",
    "oauth",
    "odbc",
    "pcov",
    "pq",
    "ps",
    "pspell",
    "psr",
    "raphf",
    "redis",
    "rrd",
    "smbclient",
    "snmp",
    "soap",
    "solr",
    "ssh2",
    "stomp",
    "tidy",
    "uopz",
    "uploadprogress",
    "uuid",
    "xdebug",
    "yaml",
];

/// Those that are in a package with another name.
const ELSEWHERE: [(&str, &str); 7] = [
    ("pdo_dblib", "sybase"),
    ("pdo_firebird", "interbase"),
    ("pdo_odbc", "odbc"),
    ("pecl_http", "http"),
    ("xmlrpc", "xmlrpc"),
    ("yac", "yac"),
    ("zmq", "zmq"),
];

/// Where an extension comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extension {
    There,
    Package(String),
    Unknown,
}

/// Looks it up, for a version of PHP such as `8.4`.
pub(super) fn find(name: &str, php: &str) -> Extension {
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == name).map(|(_, package)| *package);
    match elsewhere.or(PACKAGED.contains(&name).then_some(name)) {
        Some(package) => Extension::Package(format!("php{php}-{package}")),
        None if THERE.contains(&name) => Extension::There,
        None => Extension::Unknown,
    }
}

/// All that can be had besides what every app finds.
pub(super) fn offered() -> Vec<&'static str> {
    let mut all: Vec<_> = PACKAGED.into_iter().chain(ELSEWHERE.map(|(name, _)| name)).collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_extensions_come_from() {
        assert_eq!(find("mbstring", "8.4"), Extension::There);
        assert_eq!(find("gd", "8.4"), Extension::Package("php8.4-gd".into()));
        assert_eq!(find("pdo_odbc", "8.4"), Extension::Package("php8.4-odbc".into()));
        assert_eq!(find("imap", "8.4"), Extension::Unknown);
        assert!(offered().contains(&"xmlrpc"));
    }
}
