//! `kigo scheduler:*`.

use super::*;

const OTHER: &str = "89abcdef-89ab-4def-8123-456789abcdef";

fn job(id: &str, command: &str, last: &Value) -> Value {
    json!({
        "id": id, "command": command, "size": null, "frequency": "daily at 05:30", "timezone": "UTC",
        "overlap": true, "next_run": "2026-01-02T05:30:00Z", "last_run": last, "created_at": TIME, "updated_at": TIME,
    })
}

fn run(status: &str, failure: &Value) -> Value {
    json!({
        "id": ID, "job": { "id": ID, "command": "rake" }, "due_at": TIME, "status": status, "dyno": "scheduler.1234",
        "exit_code": null, "failure": failure, "created_at": TIME, "started_at": null, "finished_at": null,
    })
}

#[tokio::test]
async fn jobs_are_named_by_id_or_command() {
    let jobs = "/apps/my-app/scheduler/jobs";
    let failed = run("failed", &json!("it exited with status 1"));
    let api = Api::start(&[
        (&format!("GET {jobs}"), json!([job(ID, "rake", &failed), job(OTHER, "bin/x", &Value::Null)])),
        (&format!("POST {jobs}"), job(ID, "rake", &Value::Null)),
        (&format!("PATCH {jobs}/{OTHER}"), job(OTHER, "bin/x", &Value::Null)),
        (&format!("DELETE {jobs}/{ID}"), job(ID, "rake", &Value::Null)),
        (&format!("POST {jobs}/{ID}/actions/run"), run("running", &Value::Null)),
        (&format!("GET {jobs}/{ID}/runs"), json!([failed])),
        ("GET /apps/my-app/scheduler/runs", json!([])),
    ])
    .await;
    let (out, _) = api.ok(&["scheduler:jobs", "-a", "my-app"]).await;
    for words in ["01234567  daily at 05:30  2026-01-02T05:30:00Z  failed: it exited with status 1", "never"]
    {
        assert!(out.contains(words), "{out}");
    }
    let words = [
        "scheduler:add",
        "rake x",
        "--every",
        "* * * * *",
        "-t",
        "Europe/Berlin",
        "--no-overlap",
        "-a",
        "my-app",
    ];
    let (out, err) = api.ok(&words).await;
    assert_eq!(
        api.sent(&format!("POST {jobs}")),
        json!({ "command": "rake x", "frequency": "* * * * *", "timezone": "Europe/Berlin", "overlap": false })
    );
    assert_eq!(err, "Adding job to ⬢ my-app... done, 01234567\n");
    assert_eq!(out, "rake runs daily at 05:30, next at 2026-01-02T05:30:00Z\n");
    api.ok(&["scheduler:update", "89ab", "--size", "basic", "-a", "my-app"]).await;
    assert_eq!(api.sent(&format!("PATCH {jobs}/{OTHER}")), json!({ "size": "basic" }));
    let (out, err) = api.ok(&["scheduler:run", "rake", "-a", "my-app"]).await;
    assert!(
        err.ends_with("done, scheduler.1234\n") && out.contains("--dyno-name scheduler.1234"),
        "{err}{out}"
    );
    let (out, _) = api.ok(&["scheduler:history", "0123", "-a", "my-app"]).await;
    assert!(
        out.contains("2026-01-01T00:00:00Z  scheduler.1234  -         failed: it exited with status 1  rake"),
        "{out}"
    );
    assert_eq!(api.ok(&["scheduler:history", "-a", "my-app"]).await.0, "Nothing has run yet.\n");
    api.ok(&["scheduler:remove", ID, "-a", "my-app"]).await;
    assert!(
        api.fails(&["scheduler:run", "nothing", "-a", "my-app"]).await.contains("There is no job nothing.")
    );
    assert!(!api.was_called(&format!("DELETE {jobs}/{OTHER}")));
}
