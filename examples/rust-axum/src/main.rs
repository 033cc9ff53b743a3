//! A web app with axum, and a command for one-off dynos: `rust-axum version`.

use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use std::env;
use std::net::Ipv4Addr;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if env::args().nth(1).as_deref() == Some("version") {
        println!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let port = variable("PORT", "5000").parse()?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    println!("listening on {}", listener.local_addr()?);
    let app = Router::new().route("/", get(greeting)).route("/health", get(health));
    Ok(axum::serve(listener, app).await?)
}

async fn greeting() -> Html<String> {
    let page = include_str!("greeting.html");
    let page = page.replace("{greeting}", &variable("GREETING", "Hello"));
    Html(page.replace("{dyno}", &variable("DYNO", "nowhere")))
}

async fn health() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "ok"}))
}

fn variable(name: &str, otherwise: &str) -> String {
    env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}
