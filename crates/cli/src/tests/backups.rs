//! `kigo addons:backups:*`.

use super::*;

const DATA: &str = "/client/v11";

fn addon() -> Value {
    let price = json!({ "cents": 500, "contract": false, "metered": false, "unit": "month" });
    let service = json!({ "id": ID, "name": "mariadb" });
    let plan = json!({
        "id": ID, "addon_service": service, "compliance": null, "default": true, "description": "Mini",
        "human_name": "Mini", "installable_inside_private_network": false,
        "installable_outside_private_network": true, "name": "mariadb:mini", "price": price,
        "space_default": false, "state": "public", "visible": true, "created_at": TIME, "updated_at": TIME,
    });
    json!([{
        "id": ID, "actions": [], "addon_service": {
            "id": ID, "cli_plugin_name": null, "human_name": "MariaDB", "name": "mariadb", "state": "ga",
            "supported_generations": [],
            "supports_multiple_installations": true, "supports_sharing": true, "created_at": TIME, "updated_at": TIME,
        },
        "app": { "id": ID, "name": "my-app" }, "billed_price": price,
        "billing_entity": { "id": ID, "name": "my-app", "type": "app" }, "config_vars": ["MARIADB_URL"],
        "name": "mariadb-curved-1", "plan": plan, "provider_id": ID, "provision_message": "",
        "state": "provisioned", "web_url": null, "created_at": TIME, "updated_at": TIME,
    }])
}

fn transfer(number: u32, change: &Value) -> Value {
    let mut one = json!({
        "uuid": ID, "num": number, "from_type": "pg_dump", "from_name": "mariadb-curved-1", "from_url": null,
        "to_type": "gof3r", "to_name": "BACKUP", "to_url": "kigo-backup:1", "source_bytes": 9000,
        "processed_bytes": 2048, "succeeded": true, "warnings": 0, "created_at": "then", "started_at": "then",
        "canceled_at": null, "updated_at": "now", "finished_at": "now, proven now", "options": {},
        "schedule": null, "proof": { "state": "proven", "text": "items 3", "tried_at": "now" },
        "logs": [{ "created_at": "now", "message": "items 3" }],
    });
    let fields = change.as_object().cloned().unwrap_or_default();
    one.as_object_mut().unwrap().extend(fields);
    one
}

#[tokio::test]
async fn backups_are_listed_with_their_worth() {
    let other = transfer(2, &json!({ "from_name": "redis-round-2", "schedule": { "name": "x" } }));
    let restore = transfer(3, &json!({ "from_type": "gof3r", "to_type": "pg_restore" }));
    let api = Api::start(&[
        ("POST /actions/addons/resolve", addon()),
        (&format!("GET {DATA}/apps/my-app/transfers"), json!([transfer(1, &Value::Null), other, restore])),
    ])
    .await;
    let (out, _) = api.ok(&["addons:backups", "-a", "my-app"]).await;
    let first = "b001  mariadb-curved-1  then     2.00KB  Completed now, proven now";
    assert!(out.contains(first) && out.contains("a002  redis-round-2") && !out.contains("003"), "{out}");
    let (out, _) = api.ok(&["addons:backups", "MARIADB", "-a", "my-app"]).await;
    assert!(out.contains("b001") && !out.contains("a002"), "{out}");
}

#[tokio::test]
async fn one_is_made_shown_and_restored() {
    let failed = json!({
        "from_type": "gof3r", "from_name": "b001", "to_type": "pg_restore", "to_name": "mariadb-curved-1",
        "succeeded": false, "finished_at": "now", "logs": [{ "created_at": "now", "message": "no room" }],
    });
    let api = Api::start(&[
        ("POST /actions/addons/resolve", addon()),
        (&format!("POST {DATA}/databases/{ID}/backups"), transfer(1, &json!({ "succeeded": null }))),
        (&format!("GET {DATA}/apps/my-app/transfers/1?verbose=true"), transfer(1, &Value::Null)),
        (&format!("POST {DATA}/databases/{ID}/restores"), transfer(2, &failed)),
        (&format!("GET {DATA}/apps/my-app/transfers/2?verbose=true"), transfer(2, &failed)),
    ])
    .await;
    let (out, err) = api.ok(&["addons:backups:capture", "MARIADB", "-a", "my-app"]).await;
    assert_eq!(err, "b001: from mariadb-curved-1 to BACKUP... done, 2.00KB\n");
    assert!(out.contains("kigo addons:backups:info b001 -a my-app"), "{out}");
    let (out, _) = api.ok(&["addons:backups:info", "b001", "-a", "my-app"]).await;
    assert!(out.contains("Completed now, proven now") && out.contains("now items 3"), "{out}");
    let restore = ["addons:backups:restore", "b001", "MARIADB", "--confirm", "my-app", "-a", "my-app"];
    let said = api.fails(&restore).await;
    assert!(said.contains("r002: Failed now") && said.contains("no room"), "{said}");
    let sent = api.sent(&format!("POST {DATA}/databases/{ID}/restores"));
    assert_eq!(sent["backup_url"], "kigo-backup:1");
    let unsure = ["addons:backups:restore", "b001", "MARIADB", "--confirm", "other", "-a", "my-app"];
    assert!(api.fails(&unsure).await.contains("did not match my-app"));
}

#[tokio::test]
async fn daily_backups_are_set_and_taken_away() {
    let schedule = json!({
        "uuid": ID, "addon_id": ID, "name": "mariadb-curved-1", "hour": 2, "timezone": "Europe/Berlin",
        "created_at": "now",
    });
    let path = format!("{DATA}/databases/{ID}/transfer-schedules");
    let api = Api::start(&[
        ("POST /actions/addons/resolve", addon()),
        (&format!("POST {path}"), schedule.clone()),
        (&format!("GET {path}"), json!([schedule])),
        (&format!("DELETE {path}/{ID}"), schedule.clone()),
    ])
    .await;
    api.ok(&["addons:backups:schedule", "MARIADB", "--at", "02:00 Europe/Berlin", "-a", "my-app"]).await;
    let sent = json!({ "hour": "2", "timezone": "Europe/Berlin", "schedule_name": "mariadb-curved-1" });
    assert_eq!(api.sent(&format!("POST {path}")), sent);
    let (out, _) = api.ok(&["addons:backups:schedules", "MARIADB", "-a", "my-app"]).await;
    assert_eq!(out, "mariadb-curved-1: daily at 2:00 Europe/Berlin\n");
    api.ok(&["addons:backups:unschedule", "MARIADB", "-a", "my-app"]).await;
    assert!(api.was_called(&format!("DELETE {path}/{ID}")));
}
