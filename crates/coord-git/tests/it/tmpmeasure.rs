use crate::fixture::*;
use std::time::Instant;
#[test]
fn tmpmeasure() {
    let site = Site::new();
    for i in 0..20000 { let d = site.work.join(format!("d{}", i / 50)); if i % 50 == 0 { std::fs::create_dir_all(&d).unwrap(); } std::fs::write(d.join(format!("f{i}")), format!("x {i}\n")).unwrap(); }
    git(&site.work, &["add", "."]);
    git(&site.work, &["commit", "-qm", "many"]);
    let wt = site.acquire(&site.pool(0), 1);
    let t = |name: &str, f: &mut dyn FnMut(usize)| { let mut v: Vec<f64> = (0..9).map(|i| { let s = Instant::now(); f(i); s.elapsed().as_secs_f64() * 1e3 }).collect(); v.sort_by(f64::total_cmp); eprintln!("MEASURE {name}: median {:.1} max {:.1}", v[4], v[8]); };
    t("git status", &mut |_| { git(&wt.path, &["status", "--porcelain"]); });
    t("git status -uall", &mut |_| { git(&wt.path, &["status", "--porcelain", "--untracked-files=all"]); });
    let s = Instant::now(); coord_git::look(&wt.path, &id(1), None).unwrap(); eprintln!("MEASURE first {:.1}", s.elapsed().as_secs_f64() * 1e3);
    t("look, nothing changed", &mut |_| { coord_git::look(&wt.path, &id(1), None).unwrap(); });
    t("look, one file changed", &mut |i| { write(&wt.path, "d3/f151", &format!("{i}")); coord_git::look(&wt.path, &id(1), None).unwrap(); });
    t("look, after git add", &mut |i| { write(&wt.path, "d3/f151", &format!("a{i}")); git(&wt.path, &["add", "."]); let s = Instant::now(); coord_git::look(&wt.path, &id(1), None).unwrap(); eprintln!("MEASURE  {:.1}", s.elapsed().as_secs_f64() * 1e3); });
    t("save_wip", &mut |i| { write(&wt.path, "d3/f151", &format!("c{i}")); site.pool(0).save_wip(&wt, &id(1)).unwrap(); });
}
