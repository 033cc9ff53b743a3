//! What is built, and what somebody would type who built it by hand.

/// One language of the benchmark.
pub(super) struct Language {
    pub(super) name: &'static str,
    pub(super) buildpack: &'static str,
    /// The example that is built.
    pub(super) example: &'static str,
    /// Files that are added to it.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// A file of the app's code, a text in it, and what a warm build finds in its place.
    pub(super) change: (&'static str, &'static str, &'static str),
    /// What bare commands need to find their tool, and an empty cache.
    setup: &'static str,
    /// The bare commands with nothing cached.
    cold: &'static str,
    /// Those that a changed file takes.
    warm: &'static str,
}

pub(super) const LANGUAGES: &[Language] = &[
    Language {
        name: "node",
        buildpack: "heroku/nodejs",
        example: "node-hello",
        files: &[("Procfile", "web: node server.js\n")],
        change: ("server.js", "Hello from", "Goodbye from"),
        setup: "export NODE_ENV=production NPM_CONFIG_CACHE=/tmp/bare/npm",
        cold: "npm ci --no-audit --no-fund",
        warm: "npm install --prefer-offline --no-audit --no-fund",
    },
    Language {
        name: "python",
        buildpack: "heroku/python",
        example: "python-django",
        files: &[],
        change: ("greetings/urls.py", "\"Hello\"", "\"Goodbye\""),
        setup: "export PIP_CACHE_DIR=/tmp/bare/pip PIP_DISABLE_PIP_VERSION_CHECK=1
python=/app/.heroku/python/bin/python
install() { \"$python\" -m pip --python /tmp/bare/venv/bin/python install -r requirements.txt; }
assets() { /tmp/bare/venv/bin/python manage.py collectstatic --noinput; }",
        cold: "\"$python\" -m venv --without-pip /tmp/bare/venv && install && assets",
        warm: "install && assets",
    },
    Language {
        name: "go",
        buildpack: "heroku/go",
        example: "go-gin",
        files: &[],
        change: ("main.go", "\"Hello\"", "\"Goodbye\""),
        setup: "export GOPATH=/tmp/bare/go GOMODCACHE=/tmp/bare/modules GOCACHE=/tmp/bare/cache GOBIN=/tmp/bare/bin",
        cold: "go install -tags heroku ./...",
        warm: "go install -tags heroku ./...",
    },
    Language {
        name: "ruby",
        buildpack: "heroku/ruby",
        example: "ruby-sinatra",
        files: &[],
        change: ("views/greeting.erb", "Hello", "Goodbye"),
        setup: "export BUNDLE_PATH=/tmp/bare/gems BUNDLE_DEPLOYMENT=1 BUNDLE_WITHOUT=development:test
export BUNDLE_GEMFILE=$PWD/Gemfile",
        cold: "bundle install -j4 && bundle exec rake assets:precompile",
        warm: "bundle install -j4 && bundle exec rake assets:precompile",
    },
    Language {
        name: "java",
        buildpack: "heroku/java",
        example: "java-spring-boot",
        files: &[],
        change: ("src/main/java/com/example/greetings/Greeter.java", "from Spring Boot", "from a changed one"),
        setup: "export MAVEN_USER_HOME=/tmp/bare/maven MAVEN_OPTS=-Dmaven.repo.local=/tmp/bare/repository
settings=; [ ! -f /kigo/host/maven-settings.xml ] || settings='-gs /kigo/host/maven-settings.xml'
build() { sh ./mvnw -B $settings -DskipTests clean install; }",
        cold: "build",
        warm: "build",
    },
    Language {
        name: "php",
        buildpack: "heroku/php",
        example: "php-slim",
        files: &[],
        change: ("src/Greeting.php", "Hello", "Goodbye"),
        setup: "export COMPOSER_HOME=/tmp/bare/composer COMPOSER_CACHE_DIR=/tmp/bare/cache COMPOSER_NO_INTERACTION=1
build() {
    composer install --no-dev --prefer-dist --optimize-autoloader --no-progress \\
        && composer run-script --no-dev compile
}",
        cold: "build",
        warm: "build",
    },
    Language {
        name: "rust",
        buildpack: "heroku/rust",
        example: "rust-axum",
        files: &[],
        change: ("src/main.rs", "\"Hello\"", "\"Goodbye\""),
        setup: "export CARGO_HOME=/tmp/bare/cargo CARGO_TARGET_DIR=/tmp/bare/target
unset RUSTUP_TOOLCHAIN
[ ! -f /kigo/host/cargo.toml ] || cp /kigo/host/cargo.toml \"$CARGO_HOME/config.toml\"",
        cold: "cargo build --release --locked",
        warm: "cargo build --release --locked",
    },
    Language {
        name: "static",
        buildpack: "heroku-community/static",
        example: "static-site",
        files: &[],
        change: ("public/index.html", "Hello", "Goodbye"),
        setup: "",
        cold: "",
        warm: "",
    },
];

impl Language {
    /// Whether there is anything to do for a bare package manager.
    pub(super) fn installs(&self) -> bool {
        !self.cold.is_empty()
    }

    /// The bare commands as a buildpack's `bin/compile`. The app is not that of the build before
    /// it, which has been built, but the buildpack's own.
    pub(super) fn bare_program(&self) -> String {
        let or_nothing = |commands: &'static str| if commands.is_empty() { "true" } else { commands };
        format!(
            "#!/bin/bash
set -u
pack=$(cd \"$(dirname \"$0\")/..\" && pwd)
mkdir -p /tmp/bare/home /tmp/bare/cargo
cp -a \"$pack/app\" /tmp/bare/app && cd /tmp/bare/app || exit 1
export HOME=/tmp/bare/home
{setup}
cold() {{ {cold}; }}
warm() {{ {warm}; }}
timed() {{
    local start end
    start=$(date +%s%3N)
    \"$1\" > /tmp/bare/log 2>&1 || {{ cat /tmp/bare/log; exit 1; }}
    end=$(date +%s%3N)
    echo \"bare $1 took $((end - start)) ms\"
}}
timed cold
cp \"$pack/changed/{file}\" {file} || exit 1
timed warm
",
            setup = self.setup,
            cold = or_nothing(self.cold),
            warm = or_nothing(self.warm),
            file = self.change.0,
        )
    }
}
