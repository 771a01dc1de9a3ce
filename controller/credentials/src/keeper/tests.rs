use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferrule_translate::{Issue, SecretText};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;

/// How long credentials of the script are of use.
const LIFE: Duration = Duration::from_secs(3600);

tokio::task_local! {
    /// When the test began, by the clock that the test can turn.
    static BEGAN: Instant;
}

/// The time of a test that began on a day of its own.
fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + BEGAN.get().elapsed()
}

/// An STS that is up or down as the test says, and counts who asks, when, and how many at the same time.
#[derive(Default)]
struct Sts {
    is_down: Mutex<bool>,
    asked: Mutex<Vec<Instant>>,
    asking: AtomicUsize,
    most: AtomicUsize,
}

struct Shared(Arc<Sts>);

impl Source for Shared {
    async fn fetch(&self, identity: &Identity) -> Result<Fetched, String> {
        let sts = &self.0;
        let now = sts.asking.fetch_add(1, Ordering::SeqCst) + 1;
        sts.most.fetch_max(now, Ordering::SeqCst);
        sts.asked.lock().unwrap().push(Instant::now());
        tokio::time::sleep(Duration::from_millis(200)).await;
        sts.asking.fetch_sub(1, Ordering::SeqCst);
        if *sts.is_down.lock().unwrap() {
            return Err("STS is down".to_owned());
        }
        let number = sts.asked.lock().unwrap().len();
        let text = SecretText::new(format!("{identity} {number}").into_bytes());
        // The clock is that of the test's task, which this one is not.
        let expires = SystemTime::UNIX_EPOCH
            + Duration::from_secs(1_800_000_000)
            + LIFE
            + sts.asked.lock().unwrap()[0].elapsed();
        Ok(Fetched { text, expires: Some(expires), source: "script".to_owned() })
    }
}

/// A keeper at work.
struct Stage {
    sts: Arc<Sts>,
    want: watch::Sender<BTreeSet<Identity>>,
    news: mpsc::UnboundedReceiver<Issues>,
}

impl Stage {
    /// One that wants these, before an STS that is up or down.
    fn new(identities: &[Identity], is_down: bool) -> Self {
        let sts = Arc::new(Sts { is_down: Mutex::new(is_down), ..Sts::default() });
        let (want, wanted) = watch::channel(identities.iter().cloned().collect());
        let (told, news) = mpsc::unbounded_channel();
        let source = Shared(sts.clone());
        let keeping = keep_by(clock, source, wanted, move |known| told.send(known).is_ok());
        tokio::spawn(BEGAN.scope(Instant::now(), keeping));
        Self { sts, want, news }
    }

    /// The next that is told of someone; `None` where nothing is.
    async fn next(&mut self, of: &Identity) -> Option<Issue> {
        let known = self.news.recv().await.unwrap();
        known.get(of).map(|issue| (**issue).clone())
    }

    fn sts_is_down(&self, is_down: bool) {
        *self.sts.is_down.lock().unwrap() = is_down;
    }

    fn asked(&self) -> Vec<Instant> {
        self.sts.asked.lock().unwrap().clone()
    }
}

fn role(name: &str) -> Identity {
    let arn = format!("arn:aws:iam::123456789012:role/{name}");
    Identity::Role { arn: arn.as_str().into(), region: "eu-west-1".into() }
}

fn text(issue: &Issue) -> Option<String> {
    issue.credentials.as_ref().map(|text| String::from_utf8_lossy(text.bytes()).into_owned())
}

#[tokio::test(start_paused = true)]
async fn credentials_stay_in_use_while_sts_is_down_until_they_end_and_its_recovery_is_noticed() {
    let mut stage = Stage::new(&[Identity::Own], false);
    let own = Identity::Own;
    let first = stage.next(&own).await.unwrap();
    assert_eq!((text(&first).as_deref(), first.error), (Some("aws/own 1"), None));
    stage.sts_is_down(true);
    let failing = stage.next(&own).await.unwrap();
    assert_eq!(text(&failing).as_deref(), Some("aws/own 1"), "they are of use for minutes to come");
    assert_eq!((failing.error.as_deref(), &failing.expires), (Some("STS is down"), &first.expires));
    let renewing = stage.asked()[1] - stage.asked()[0];
    assert!(renewing < LIFE - Duration::from_secs(600) + Duration::from_secs(1), "{renewing:?}");

    // Nothing else is told before they end, however often it is tried.
    let ended = stage.next(&own).await.unwrap();
    assert_eq!((text(&ended), ended.error.as_deref(), ended.expires), (None, Some("STS is down"), None));
    let life = stage.asked()[0].elapsed();
    assert!(life >= LIFE && life < LIFE + Duration::from_secs(2), "{life:?}");

    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(stage.news.try_recv().is_err());
    stage.sts_is_down(false);
    let down = Instant::now();
    let again = stage.next(&own).await.unwrap();
    assert!(text(&again).is_some() && again.error.is_none(), "{again:?}");
    assert!(down.elapsed() < Duration::from_secs(62), "{:?}", down.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_sts_that_stays_down_is_asked_ever_more_rarely_once_a_minute_at_last() {
    let mut stage = Stage::new(&[Identity::Own], true);
    let first = stage.next(&Identity::Own).await.unwrap();
    assert_eq!((text(&first), first.error.as_deref()), (None, Some("STS is down")));
    tokio::time::sleep(Duration::from_secs(1200)).await;
    let asked = stage.asked();
    let pauses: Vec<f64> = asked.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() - 0.2).collect();
    for (number, pause) in pauses.iter().enumerate() {
        let longest = 2_f64.powi(number.min(10).try_into().unwrap()).min(60.0);
        assert!(*pause >= longest / 2.0 - 0.01 && *pause <= longest + 0.01, "{number}: {pauses:?}");
    }
    assert!(pauses.len() > 20, "{pauses:?}");
    let spread = pauses.iter().skip(6).any(|pause| (pause - pauses[6]).abs() > 0.1);
    assert!(spread, "by chance: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn of_one_role_there_is_one_fetch_at_a_time_and_roles_do_not_wait_for_each_other() {
    let roles = [role("a"), role("b")];
    let mut stage = Stage::new(&roles, false);
    // Wishes that say the same again begin nothing.
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        stage.want.send_modify(|_| {});
    }
    assert_eq!(stage.asked().len(), 2);
    let begun = Instant::now();
    while stage.next(&roles[0]).await.is_none() {}
    assert!(begun.elapsed() < Duration::from_millis(200), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((stage.asked().len(), stage.sts.most.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_wanted_any_more_is_forgotten_and_not_asked_for_again() {
    let mut stage = Stage::new(&[Identity::Own], false);
    assert!(stage.next(&Identity::Own).await.is_some());
    stage.want.send_replace(BTreeSet::new());
    assert_eq!(stage.next(&Identity::Own).await, None);
    tokio::time::sleep(LIFE * 2).await;
    assert_eq!(stage.asked().len(), 1);
}

/// Never answers.
struct Silent;

impl Source for Silent {
    async fn fetch(&self, _: &Identity) -> Result<Fetched, String> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_without_an_answer_has_failed() {
    let (_want, wanted) = watch::channel([Identity::Own].into());
    let (told, mut news) = mpsc::unbounded_channel();
    let keeping = keep_by(clock, Silent, wanted, move |known: Issues| told.send(known).is_ok());
    tokio::spawn(BEGAN.scope(Instant::now(), keeping));
    let known = news.recv().await.unwrap();
    assert_eq!(known.get(&Identity::Own).unwrap().error.as_deref(), Some("no answer within 30s"));
}
