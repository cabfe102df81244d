//! The report of what a team did.

use crate::support::Team;

/// A team of which one task is completed, one has failed, and one waits for it; their texts try to be markup.
fn worked() -> Team {
    let team = Team::new();
    team.ok(["add", "Write <script>alert(1)</script> | it", "--id", "write"]);
    team.ok(["add", "Break it", "--id", "break", "--attempts", "1"]);
    team.ok(["add", "Read it", "--id", "read", "--after", "break"]);
    team.ok(["claim", "write", "--as", "worker-1"]);
    team.ok(["complete", "write", "--as", "worker-1", "--result", "written"]);
    team.ok(["claim", "break", "--as", "worker-2"]);
    team.ok(["fail", "break", "--as", "worker-2", "--error", "no ```paper``` in <b>tray</b> 2"]);
    team
}

#[test]
fn a_report_tells_who_did_what_and_what_failed_and_why() {
    let team = worked();
    let markdown = team.ok(["report"]);
    assert!(markdown.contains("1 of 3 tasks completed, 1 failed, 1 blocked, 2 agents."), "{markdown}");
    assert!(markdown.contains("| worker-1 |") && markdown.contains("### break: Break it"), "{markdown}");
    assert!(markdown.contains("````text\nno ```paper``` in <b>tray</b> 2\n````"), "{markdown}");
    assert!(markdown.contains("gantt\n") && markdown.contains("section worker-2"), "{markdown}");
    assert!(!markdown.contains("<script>") && markdown.contains("\\| it"), "{markdown}");
}

#[test]
fn the_page_holds_all_that_it_needs_and_no_text_is_markup_in_it() {
    let team = worked();
    let written = team.json(["report", "--html", "report.html", "--markdown", "report.md"]);
    assert_eq!(written["files"], serde_json::json!(["report.html", "report.md"]));
    let page = std::fs::read_to_string(team.path().join("report.html")).unwrap();
    assert!(page.contains("default-src 'none'") && page.contains("<svg "), "{page}");
    assert!(!page.contains("<script") && !page.contains("<b>") && page.contains("&lt;b&gt;tray"), "{page}");
    // Nothing is asked for elsewhere.
    for link in ["src=", "href=\"h", "@import"] {
        assert!(!page.contains(link), "{link}");
    }
    assert_eq!(page.matches("url(").count(), page.matches("url(#agent-team-arrow)").count());
    let places: Vec<_> = page.match_indices("://").map(|(at, _)| &page[at..at + 21]).collect();
    assert!(places.iter().all(|place| *place == "://www.w3.org/2000/sv"), "{places:?}");
    assert_eq!(
        std::fs::read_to_string(team.path().join("report.md")).unwrap().trim_end(),
        team.ok(["report"]).trim_end()
    );
}

#[test]
fn a_file_that_cannot_be_written_is_said() {
    let team = worked();
    let ran = team.run(["report", "--html", "nowhere/report.html"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("ERROR nowhere/report.html: "), "{ran:?}");
}
