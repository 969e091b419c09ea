//! Why two members are not connected, as either side tells it.

use hallmark_tests::liar::nothing;

use super::NOWHERE;
use super::byzantine::{enter, kept_out, member, why};
use crate::it::world::{SOON, World, wait};

#[test]
fn a_node_that_is_kept_out_is_told_until_when_and_why() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = member(&world, "plant", 2, &registrar);
    let liar = enter(&registrar, &plant, nothing());
    liar.subscribe("hallmark/1/world/else");
    kept_out(&registrar, &plant, "strayed");
    drop(liar);
    // The node under the same key comes without a fault of its own, and dials again and again.
    plant.configure(NOWHERE.0, NOWHERE.1);
    plant.start();
    let told = wait("the reason to be told", SOON, || {
        let why = why(&plant, &registrar);
        why.contains("it keeps this node out until").then_some(why)
    });
    assert!(told.contains("strayed: a subscription to a topic that is none"), "{told}");
    let here = why(&registrar, &plant);
    assert!(here.contains("kept out"), "{here}");
}

#[test]
fn a_node_that_has_all_connections_it_may_have_says_so() {
    let world = World::new();
    let mut registrar = world.founder("registrar");
    assert_eq!(registrar.stop(), 0, "{}", registrar.log());
    registrar.configure("# connections_max = 256", "connections_max = 2");
    registrar.start();
    registrar.ready();
    let others = [member(&world, "a", 2, &registrar), member(&world, "b", 3, &registrar)];
    let liars = [0, 1].map(|place: usize| enter(&registrar, &others[place], nothing()));
    let mut late = member(&world, "late", 4, &registrar);
    late.configure(NOWHERE.0, NOWHERE.1);
    late.start();
    wait("the refusal", SOON, || {
        why(&registrar, &late).contains("at most 2 established connections").then_some(())
    });
    assert!(liars.iter().all(hallmark_tests::liar::Liar::is_connected));
}
