//! Java: Spring Boot with Maven.

use super::{first_push, refused, snapshot};
use crate::run;
use anyhow::Result;
use e2e::Server;

const GREETER: &str = "src/main/java/com/example/greetings/Greeter.java";

/// A Spring Boot app: what its dynos are told, a console, a mistake, and a change that downloads
/// nothing.
pub(crate) fn spring_boot(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "java-spring-boot")?;
        app.answers("Hello from Spring Boot in web.1").await?;
        app.logs_say("Picked up JAVA_TOOL_OPTIONS: -Dfile.encoding=UTF-8 -XX:MaxRAM=536870912 -Xmx300m")
            .await?;
        app.heroku(&["run", "--no-tty", "--exit-code", "echo 'System.out.println(6 * 7)' | jshell -"])?
            .ok()?
            .says("42")?
            .says_not("Picked up")?;

        let good = std::fs::read_to_string(app.checkout.join(GREETER))?;
        app.write(GREETER, &good.replace("+ dyno +", "+ dino +"))?;
        app.commit("typo")?;
        snapshot("java-failing-compile", &app.push()?.fails()?);

        let pom = std::fs::read_to_string(app.checkout.join("pom.xml"))?;
        let lost = "<dependency><groupId>com.example</groupId><artifactId>lost</artifactId><version>1.0</version></dependency>";
        app.write("pom.xml", &pom.replacen("</dependencies>", &format!("{lost}</dependencies>"), 1))?;
        app.commit("lost dependency")?;
        // Maven names the repositories it asked, which differ from one machine to the next.
        app.push()?.fails()?.says("com.example:lost:jar:1.0")?.says("Maven build failed.")?;
        app.write("pom.xml", &pom)?;

        app.heroku(&["config:set", "DATABASE_URL=postgres://me:ge%40heim@db.example:5432/greetings"])?
            .ok()?;
        app.write(GREETER, &good.replace("from Spring Boot", "from a changed Spring Boot"))?;
        app.commit("change")?;
        app.push()?.ok()?.says("Executing Maven")?.says_not("Downloading")?;
        app.answers("Hello from a changed Spring Boot").await?;
        app.heroku(&["run", "--no-tty", "--exit-code", "env | grep -E '^(JDBC|SPRING)_' | sort"])?
            .ok()?
            .says("JDBC_DATABASE_PASSWORD=ge@heim\n")?
            .says("JDBC_DATABASE_URL=jdbc:postgresql://db.example:5432/greetings?password=ge%40heim&sslmode=require&user=me\n")?
            .says("SPRING_DATASOURCE_USERNAME=me\n")?;
        Ok(())
    })
}

/// What a user can get wrong. Maven has no lockfile.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    let pom = ("pom.xml", "<project/>");
    refused(
        server,
        "java",
        &[
            ("old-version", &[pom, ("system.properties", "java.runtime.version=1.8")]),
            ("no-version", &[pom, ("system.properties", "java.runtime.version=latest")]),
            ("no-maven", &[pom, ("system.properties", "java.runtime.version=21\nmaven.version=3.0.99")]),
        ],
    )
}
