//! Against a real server, whose programs are where `KIGO_TEST_POSTGRES` says
//! (`/usr/lib/postgresql/17/bin`).

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]

use domain::DatabaseAccess;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

/// PostgreSQL does not run as root.
const NOBODY: u32 = 65534;

struct Server {
    process: Child,
    port: u16,
    _data: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start() -> Self {
        let programs = PathBuf::from(std::env::var_os("KIGO_TEST_POSTGRES").unwrap());
        let data = tempfile::tempdir_in("/var/tmp").unwrap();
        chown(data.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        std::fs::write(data.path().join("password"), "secret").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let inside = data.path().join("data");
        let password = format!("--pwfile={}", data.path().join("password").display());
        let made = Command::new(programs.join("initdb"))
            .args(["--username=postgres", "--auth=scram-sha-256", &password, "--pgdata"])
            .arg(&inside)
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let process = Command::new(programs.join("postgres"))
            .args(["-p", &port.to_string(), "-c", "unix_socket_directories=", "-D"])
            .arg(&inside)
            .uid(NOBODY)
            .gid(NOBODY)
            .spawn()
            .unwrap();
        Self { process, port, _data: data }
    }

    fn access(&self, database: &str, owner: &str) -> DatabaseAccess {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port);
        DatabaseAccess { address, password: "secret".into(), database: database.into(), owner: owner.into() }
    }

    /// Runs SQL as a user, and returns what it says.
    fn sql(&self, user: &str, database: &str, sql: &str) -> Result<String, String> {
        let output = Command::new("psql")
            .args(["-X", "-A", "-t", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", user])
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql, database])
            .env("PGPASSWORD", "secret")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server's programs: KIGO_TEST_POSTGRES"]
async fn all_of_it() {
    let server = Server::start();
    let access = server.access("shop", "own\"er");
    let mut turns = 0;
    while postgres::sizes(&access).await.is_err() {
        turns += 1;
        assert!(turns < 300, "the server does not start");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let admin = |sql: &str| server.sql("postgres", "postgres", sql).unwrap();
    for user in ["\"own\"\"er\"", "reader"] {
        admin(&format!("CREATE ROLE {user} LOGIN PASSWORD 'secret'"));
    }
    admin("CREATE DATABASE shop OWNER \"own\"\"er\"");
    admin("REVOKE ALL ON DATABASE shop FROM PUBLIC");
    admin("GRANT CONNECT ON DATABASE shop TO reader");
    let own = |sql: &str| server.sql("own\"er", "shop", sql);
    own("CREATE TABLE things (name text)").unwrap();

    let figures = postgres::figures(&access).await.unwrap();
    assert_eq!((figures.tables, figures.connections), (1, 0));
    assert!(figures.bytes > 1 << 20 && figures.version.starts_with('1'), "{figures:?}");
    assert_eq!(postgres::sizes(&access).await.unwrap()["shop"], figures.bytes);

    postgres::allow_growth(&access, false).await.unwrap();
    assert!(own("INSERT INTO things VALUES ('a')").unwrap_err().contains("permission denied"));
    own("DELETE FROM things").unwrap();
    postgres::allow_growth(&access, true).await.unwrap();
    own("INSERT INTO things VALUES ('a')").unwrap();

    postgres::change_setting(&access, "log_min_duration_statement", Some("500")).await.unwrap();
    postgres::change_setting(&access, "auto_explain.log_min_duration", Some("250")).await.unwrap();
    postgres::change_setting(&access, "session_preload_libraries", Some("auto_explain")).await.unwrap();
    let settings = postgres::settings(&access).await.unwrap();
    assert_eq!(settings["log_min_duration_statement"], "500");
    assert_eq!(settings["auto_explain.log_min_duration"], "250");
    assert_eq!(settings["session_preload_libraries"], "auto_explain");
    postgres::change_setting(&access, "session_preload_libraries", None).await.unwrap();
    assert!(!postgres::settings(&access).await.unwrap().contains_key("session_preload_libraries"));
    let refused = postgres::change_setting(&access, "log_statement", Some("most")).await.unwrap_err();
    assert!(refused.to_string().contains("invalid value"), "{refused}");

    postgres::end_connections(&access).await.unwrap();
    postgres::reset_statistics(&access).await.unwrap();
    postgres::repair_owner(&access, &["reader".into()]).await.unwrap();
    assert_eq!(own("SELECT pg_has_role('reader', 'member')").unwrap(), "t");

    let refused = postgres::reset(&access, &["file_fdw".into()]).await.unwrap_err();
    assert!(refused.to_string().contains("There is no extension file_fdw"), "{refused}");
    assert_eq!(own("SELECT count(*) FROM things").unwrap(), "1", "nothing was lost");
    postgres::reset(&access, &["citext".into()]).await.unwrap();
    assert!(own("SELECT count(*) FROM things").unwrap_err().contains("does not exist"));
    assert_eq!(own("SELECT count(*) FROM pg_extension WHERE extname = 'citext'").unwrap(), "1");
    assert_eq!(server.sql("reader", "shop", "SELECT 1").unwrap(), "1", "who could connect still can");
}
