"""Many clients at once."""

import concurrent.futures
import threading

from harness import Server, World


def test_parallel_refreshes_have_one_successor(world):
    """A-TOK-16 P-9700-1"""
    token = world.grant()["refresh_token"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: world.refresh(token), range(100)))
    assert {r.status for r in replies} == {200} and len({r.json["refresh_token"] for r in replies}) == 1


def test_without_a_window_one_of_many_wins():
    """P-9700-1: window 0"""
    with Server(options="refresh_window=0s") as server:
        world = World(server)
        token = world.grant()["refresh_token"]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda _: world.refresh(token), range(100)))
        assert sorted(r.status for r in replies) == [200] + [400] * 99
        assert all(r.error == "invalid_grant" for r in replies if r.status == 400)
        server.check_floor()


def test_no_introspection_after_the_answer_says_active(world):
    """C-9 A-TOK-15: 16 clients introspect and revoke at once; none that starts after a revoke was answered says active."""
    tokens = [world.at()["access_token"] for _ in range(24)]
    answered = {}
    wrong = []
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            for token in tokens:
                dead = token in answered
                if world.active(token) and dead:
                    wrong.append(token)

    watchers = [threading.Thread(target=watch) for _ in range(12)]
    for t in watchers:
        t.start()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        def end(token):
            assert world.server.revoke(token, world.cl1).status == 200
            answered[token] = True
        list(pool.map(end, tokens))
    stop.set()
    for t in watchers:
        t.join()
    assert not wrong and not any(world.active(t) for t in tokens)
