//! `token`: a bearer token for a client of this or another node.

use hallmark_schemas::exit::Exit;
use hallmark_schemas::layout::Dir;
use hallmark_schemas::time::Timestamp;
use hallmark_schemas::token::Grant;

use crate::cli::{Output, TokenArgs};
use crate::config::Config;
use crate::failure::Failure;
use crate::files::now;
use crate::keys::{self, Purpose};

/// Signs it with the organisation key.
pub(super) fn run(args: &TokenArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let keys = Dir::new(&args.dir).keys();
    let key = keys::open(&keys, Purpose::Organisation, args.passphrase_file.as_deref())?;
    let wrong = |e: &(dyn std::error::Error + 'static)| {
        Failure::usage("cannot make this token")
            .because(e)
            .help("`hallmark-node token --help` lists scopes and limits")
    };
    let iat = Timestamp::from_unix_ms(now().unix_ms() / 1000 * 1000);
    let life = i64::try_from(args.minutes * 60_000).unwrap_or(0);
    let grant = Grant {
        iss: config.org,
        aud: args.audience.clone().unwrap_or(config.origin),
        scope: args.scope.parse().map_err(|e: hallmark_schemas::token::TokenError| wrong(&e))?,
        purpose: args.purpose.clone(),
        iat,
        exp: iat.checked_add_ms(life).unwrap_or(iat),
    };
    let token = grant.sign(&key).map_err(|e| wrong(&e))?;
    output.say(format!("signed: for {} until {}", grant.aud, grant.exp));
    let json = serde_json::json!({ "token": token, "aud": grant.aud, "exp": grant.exp });
    output.item(&token, &json);
    Ok(Exit::Done)
}
