# SPDX-License-Identifier: MIT
"""A real Postfix: what becomes of the mail."""
import itertools
import shutil

from lab import wait
from lab.cases import Skip, case, contains, same, table
from lab.world import WEB_SILENT

ADDRESSES = (f"198.18.5.{number}" for number in itertools.count(1))


def postfix_and_stsd(world, settings=None, **stsd_settings):
    if not shutil.which("postfix"):
        raise Skip("postfix is not installed")
    postfix = world.postfix(**(settings or {}))
    stsd = world.stsd(postfix_directory=postfix.folder + "/etc", **stsd_settings).start()
    postfix.start()
    return postfix, stsd


def mail_host(world, name, kind="good", names=None, starttls=True):
    address = next(ADDRESSES)
    world.dns.replace("mx." + name, "A", address)
    world.smtp.listen(address, names or ["mx." + name], kind, starttls)
    return address


def smoke_postfix(world):
    """One for all these cases."""
    if not hasattr(world, "smoke"):
        postfix, stsd = postfix_and_stsd(world, {"socketmap": "127.0.0.1:8472"},
                                         listen="inet:127.0.0.1:8472")
        world.lasting(stsd)
        world.smoke = world.lasting(postfix)
    return world.smoke


@table("smoke", [
    # name, mode (None: no record), certificate, its names, STARTTLS, what becomes of the
    # mail, how the connection is secured (None: not looked at)
    ("enforce, good", "enforce", "good", None, True, "sent", "Verified"),
    ("enforce, unknown authority", "enforce", "stranger", None, True, "deferred", None),
    ("enforce, self-signed", "enforce", "self", None, True, "deferred", None),
    ("enforce, expired", "enforce", "expired", None, True, "deferred", None),
    ("enforce, another name", "enforce", "good", ["mx.other.example"], True, "deferred", None),
    ("enforce, no STARTTLS", "enforce", "good", None, False, "deferred", None),
    ("testing, bad", "testing", "stranger", None, True, "sent", "Untrusted"),
    ("testing, no STARTTLS", "testing", "good", None, False, "sent", None),
    ("none, bad", "none", "stranger", None, True, "sent", "Untrusted"),
    ("no policy, bad", None, "stranger", None, True, "sent", "Untrusted"),
])
def mail(world, mode, kind, names, starttls, fate, level):
    if mode is None:
        name = world.plain_domain()
    else:
        name = world.domain(mode=mode).name
    address = mail_host(world, name, kind, names, starttls)
    postfix = smoke_postfix(world)
    postfix.send("you@" + name)
    became = postfix.wait_for_fate("you@" + name)
    same(became[0], fate, became[1])
    same(len(world.smtp.received("you@" + name)) > 0, fate == "sent", "delivery")
    if level is not None:
        same(postfix.tls_of("mx." + name), level, address)


@case("a mail deferred for want of a policy goes once the policy host has answered")
def deferred_then_sent(world):
    domain = world.domain(addresses=(WEB_SILENT,))
    mail_host(world, domain.name)
    postfix, stsd = postfix_and_stsd(world, answer_timeout="1s", fetch_timeout="3s")
    postfix.send("you@" + domain.name)
    became = postfix.wait_for_fate("you@" + domain.name)
    same(became[0], "deferred", became[1])
    contains(postfix.log(), f"{domain.name}: policy fetch in progress", "Postfix's log")
    wait.until(lambda: postfix.fate("you@" + domain.name)[0] == "sent", "the mail has gone", 30)
    same(stsd.ask(domain.name), "NOTFOUND ")


@case("a smart host in brackets, with a port, has a policy of its own")
def smart_host(world):
    name = world.new_name("relay")
    world.domain(name=name, mx=[name])
    address = next(ADDRESSES)
    world.dns.replace(name, "A", address)
    world.smtp.listen(address, [name])
    postfix, _ = postfix_and_stsd(world, {"relayhost": f"[{name}]:25"})
    postfix.send("you@somewhere.example")
    same(postfix.wait_for_fate("you@somewhere.example")[0], "sent")
    same(postfix.tls_of(name), "Verified")


@case("stsd down: Postfix defers; up again: the mail goes")
def down(world):
    domain = world.domain()
    mail_host(world, domain.name)
    postfix, stsd = postfix_and_stsd(world)
    stsd.kill()
    postfix.send("you@" + domain.name)
    same(postfix.wait_for_fate("you@" + domain.name)[0], "deferred")
    stsd.start()
    wait.until(lambda: postfix.fate("you@" + domain.name)[0] == "sent", "the mail has gone", 30)


@case("stsd restarted between two mails: the second goes at once")
def restarted(world):
    domain = world.domain()
    mail_host(world, domain.name)
    postfix, stsd = postfix_and_stsd(world)
    postfix.send("one@" + domain.name)
    same(postfix.wait_for_fate("one@" + domain.name)[0], "sent")
    stsd.restart()
    postfix.send("two@" + domain.name)
    same(postfix.wait_for_fate("two@" + domain.name)[0], "sent")


@case("smtp_tls_security_level = encrypt stays in force for testing domains")
def stronger_default(world):
    domain = world.domain(mode="testing")
    mail_host(world, domain.name, starttls=False)
    postfix, _ = postfix_and_stsd(world, {"smtp_tls_security_level": "encrypt"})
    postfix.send("you@" + domain.name)
    same(postfix.wait_for_fate("you@" + domain.name)[0], "deferred")
