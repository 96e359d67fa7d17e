#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole thing in a quarter of a minute: a small Internet, stsd, a real Postfix, and a
mail to each kind of domain. Runs in namespaces of its own and leaves nothing behind."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, HERE)

from lab import namespace  # noqa: E402  pylint: disable=wrong-import-position

TOOLS = ("ip", "mount", "unshare", "postfix", "sendmail")
PROXY_PORT = 8462

# Domain, mode, policy host, certificate of the mail host; what stsd must answer (%: the mail
# host), what must become of the mail and how the connection must be secured.
MAILS = (
    ("enforced.example", "enforce", "good", "good",
     "OK secure match=% servername=hostname", "sent", "Verified"),
    ("intercepted.example", "enforce", "good", "stranger",
     "OK secure match=% servername=hostname", "deferred", None),
    ("testing.example", "testing", "good", "stranger", "OK may", "sent", "Untrusted"),
    ("none.example", "none", "good", "stranger", "OK may", "sent", "Untrusted"),
    ("plain.example", None, None, "stranger", "NOTFOUND ", "sent", "Untrusted"),
    ("broken.example", "enforce", "404", "stranger", "NOTFOUND ", "sent", "Untrusted"),
)
WHAT = {
    "enforced.example": "enforce, good certificate",
    "intercepted.example": "enforce, bad certificate",
    "testing.example": "testing, bad certificate",
    "none.example": "none, bad certificate",
    "plain.example": "no policy",
    "broken.example": "policy host says 404",
}


def build_world(world):
    for number, (name, mode, how, kind, *_) in enumerate(MAILS):
        host, address = "mx." + name, f"198.18.2.{number + 1}"
        if mode is None:
            world.plain_domain(name)
        else:
            world.domain(mode=mode, name=name, how=how)
        world.dns.add(host, "A", address)
        world.smtp.listen(address, [host], kind)


def show(mail, proxy, postfix):
    """Prints what happened to one mail; True if it is what must happen."""
    name, _, _, _, reply, fate, tls = mail
    host = "mx." + name
    became, reason = postfix.wait_for_fate("you@" + name)
    said = proxy.about(name) or ("nothing", "nothing")
    secured = postfix.tls_of(host)
    expected = ("QUERY " + name, reply.replace("%", host), fate)
    right = (said[0], said[1], became) == expected and (tls is None or secured == tls)
    print(f"\n{name} ({WHAT[name]})")
    print(f"  Postfix asked   {said[0]}")
    print(f"  stsd answered   {said[1]}")
    print(f"  the mail was    {became}: {reason}")
    if tls is not None:
        print(f"  over            {secured} TLS connection")
    print(f"  as expected     {'yes' if right else 'NO: ' + repr((*expected, tls))}")
    return right


def demo():
    from lab import socketmap, world as worlds  # pylint: disable=import-outside-toplevel
    print("Starting DNS, policy hosts, mail hosts, stsd and Postfix ...", flush=True)
    world = worlds.World(os.path.join(ROOT, os.environ.get("B", "build")))
    build_world(world)
    postfix = world.postfix(socketmap=f"127.0.0.1:{PROXY_PORT}")
    stsd = world.stsd(postfix_directory=postfix.folder + "/etc").start()
    proxy = socketmap.Proxy(("127.0.0.1", PROXY_PORT), stsd.address())
    postfix.start()
    for mail in MAILS:
        postfix.send("you@" + mail[0])
    right = [show(mail, proxy, postfix) for mail in MAILS]
    postfix.stop()
    status = stsd.stop()
    if status != 0:
        print(f"stsd ended with {status}: {stsd.log()[-2000:]}")
    print(f"\n{sum(right)} of {len(right)} mails went as expected", flush=True)
    return 0 if all(right) and status == 0 else 1


def main():
    try:
        namespace.enter(TOOLS)
    except namespace.Unavailable as reason:
        print(f"demo: {reason}")
        return 1
    try:
        return demo()
    except KeyboardInterrupt:
        print("\ndemo: interrupted")
        return 130


if __name__ == "__main__":
    result = main()
    sys.stdout.flush()
    os._exit(result)  # the kernel ends all that runs in this namespace
