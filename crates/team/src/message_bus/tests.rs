//! Tests of the message bus.

use std::sync::Barrier;
use std::thread;

use super::*;

#[test]
fn of_several_who_answer_at_once_one_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (human, asker): (AgentId, AgentId) = (AgentId::human(), "w1".parse().unwrap());
    let bus = MessageBus::new(folder.path()).unwrap();
    for _ in 0..8 {
        let question = NewMessage::new(&asker, Recipient::Agent(human.clone()), "Tabs or spaces?");
        let question = bus.post(NewMessage { asks: true, ..question }).unwrap();
        let together = Barrier::new(4);
        let answer = || {
            let bus = MessageBus::new(folder.path()).unwrap();
            together.wait();
            bus.answer(&human, question, "Spaces.").is_ok()
        };
        let heard = thread::scope(|scope| {
            let answers: Vec<_> = (0..4).map(|_| scope.spawn(answer)).collect();
            answers.into_iter().map(|answer| answer.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(heard.iter().filter(|heard| **heard).count(), 1);
    }
}

#[test]
fn a_message_that_says_nothing_is_none() {
    let bus = MessageBus::in_memory().unwrap();
    let (lead, worker) = ("lead-1".parse().unwrap(), "w1".parse::<AgentId>().unwrap());
    for blank in ["", " \n"] {
        let refused = bus.send(&lead, Recipient::Agent(worker.clone()), blank);
        assert!(matches!(refused, Err(Error::Input(why)) if why.contains("the text is empty")));
    }
    assert_eq!(bus.receive(&worker, 0).unwrap(), []);
}

#[tokio::test]
async fn a_stream_reads_what_it_gives_out_and_nothing_else() {
    use futures::StreamExt;

    let bus = MessageBus::in_memory().unwrap();
    let (lead, worker) = ("lead-1".parse().unwrap(), "w1".parse::<AgentId>().unwrap());
    for text in ["one", "two", "three"] {
        bus.send(&lead, Recipient::Agent(worker.clone()), text).unwrap();
    }
    let mut messages = std::pin::pin!(bus.stream(&worker, 0));
    assert_eq!(messages.next().await.unwrap().unwrap().text, "one");
    let unread = bus.unread(&worker).unwrap();
    assert_eq!(unread.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["two", "three"]);
}
