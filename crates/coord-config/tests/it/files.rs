//! Files: which one is taken, and what is said of one that cannot be read.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use coord_config::{ConfigError, LocateError, MAX_FILE_BYTES, Source, load, locate};
use tempfile::TempDir;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A current folder `cwd` and a home `home`, both empty.
struct Folders {
    root: TempDir,
}

impl Folders {
    fn new() -> Result<Self, std::io::Error> {
        let root = TempDir::new()?;
        fs::create_dir(root.path().join("cwd"))?;
        fs::create_dir_all(root.path().join("home/.coord"))?;
        Ok(Self { root })
    }

    fn write(&self, name: &str) -> Result<PathBuf, std::io::Error> {
        let path = self.root.path().join(name);
        fs::write(&path, "repos: [{name: a}]\n")?;
        Ok(path)
    }

    fn locate(
        &self,
        flag: Option<&Path>,
        env: Option<&str>,
    ) -> Result<(PathBuf, Source), LocateError> {
        let (cwd, home) = (self.root.path().join("cwd"), self.root.path().join("home"));
        let located = locate(flag, env.map(OsStr::new), &cwd, Some(&home))?;
        Ok((located.path, located.source))
    }
}

#[test]
fn flag_then_variable_then_folder_then_home() -> Outcome {
    let folders = Folders::new()?;
    let home = folders.write("home/.coord/coordinator.yml")?;
    assert_eq!(folders.locate(None, None)?, (home, Source::Home));
    let cwd = folders.write("cwd/coordinator.yml")?;
    assert_eq!(folders.locate(None, None)?, (cwd.clone(), Source::Cwd));
    assert_eq!(folders.locate(None, Some(""))?, (cwd, Source::Cwd));
    let env = folders.write("cwd/env.yml")?;
    assert_eq!(folders.locate(None, Some("env.yml"))?, (env, Source::Env));
    let flag = folders.write("flag.yml")?;
    assert_eq!(
        folders.locate(Some(&flag), Some("env.yml"))?,
        (flag, Source::Flag)
    );
    Ok(())
}

#[test]
fn a_name_without_a_file_is_an_error_even_where_others_exist() -> Outcome {
    let folders = Folders::new()?;
    folders.write("cwd/coordinator.yml")?;
    let flag = folders
        .locate(Some(Path::new("coordinater.yml")), None)
        .map_err(|e| e.to_string());
    insta::assert_debug_snapshot!(flag, @r#"
    Err(
        "the configuration coordinater.yml that --config names does not exist",
    )
    "#);
    let env = folders
        .locate(None, Some("/nowhere/c.yml"))
        .map_err(|e| e.to_string());
    insta::assert_debug_snapshot!(env, @r#"
    Err(
        "the configuration /nowhere/c.yml that $COORD_CONFIG names does not exist",
    )
    "#);
    Ok(())
}

#[test]
fn nothing_found_says_where_it_looked_and_what_to_do() -> Outcome {
    let folders = Folders::new()?;
    let error = folders.locate(None, None).map_err(|error| {
        let root = folders.root.path().display().to_string();
        format!("{error}\n{}", error.hint()).replace(&root, "ROOT")
    });
    insta::assert_snapshot!(error.err().unwrap_or_default(), @r"
    no configuration: looked for ROOT/cwd/coordinator.yml and ROOT/home/.coord/coordinator.yml
    copy coordinator.example.yml to coordinator.yml and edit it, or name a file with --config or $COORD_CONFIG
    ");
    Ok(())
}

#[test]
fn a_folder_is_no_file() -> Outcome {
    let folders = Folders::new()?;
    fs::create_dir(folders.root.path().join("cwd/coordinator.yml"))?;
    folders.write("home/.coord/coordinator.yml")?;
    assert!(matches!(
        folders.locate(None, None),
        Err(LocateError::Folder { .. })
    ));
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_is_named() -> Outcome {
    let folders = Folders::new()?;
    let path = folders.root.path().join("gone.yml");
    let error = load(&path, None);
    assert!(matches!(error, Err(ConfigError::Read { path: named, .. }) if named == path));
    Ok(())
}

#[test]
fn ten_megabytes_are_no_configuration() -> Outcome {
    let folders = Folders::new()?;
    let path = folders.root.path().join("big.yml");
    fs::write(&path, "- a: b\n".repeat(1_500_000))?;
    assert!(matches!(
        load(&path, None),
        Err(ConfigError::TooLarge { .. })
    ));
    fs::write(&path, format!("repos: [{{name: a}}]\n{}", "#".repeat(1000)))?;
    assert!(load(&path, None).is_ok());
    assert!(fs::metadata(&path)?.len() < MAX_FILE_BYTES);
    Ok(())
}
