# SPDX-License-Identifier: MIT
"""With nobody of ours in between: nsd, a validating unbound, nginx, Postfix."""
import re

from lab import real
from lab.cases import Skip, case, same

POLICY = "version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n"
LINES = """\
enforced MX 10 mx.enforced
mx.enforced A 198.18.4.1
_mta-sts.enforced TXT "v=STSv1; id=20260101;"
wide MX 10 a.wide
wide MX 20 b.wide
_mta-sts.wide CNAME _mta-sts.enforced
testing MX 10 mx.testing
_mta-sts.testing TXT "v=STSv1;" " id=1;"
many MX 10 mx.many
{fill}
_mta-sts.many TXT "v=STSv1; id=7;"
plain MX 10 mx.plain
mx.plain A 198.18.4.2
big MX 10 mx.big
_mta-sts.big TXT "v=STSv1; id=1;"
"""


@case("nsd, unbound, nginx and Postfix")
def whole(world):
    if real.missing():
        raise Skip(real.missing() + " is not installed")
    zone = real.ZONE
    policies = {
        "enforced": POLICY.format(mode="enforce", mx="mx.enforced." + zone),
        "wide": POLICY.format(mode="enforce", mx="*.wide." + zone),
        "testing": POLICY.format(mode="testing", mx="mx.testing." + zone),
        "many": POLICY.format(mode="enforce", mx="mx.many." + zone),
    }
    # More than fits into one datagram: over TCP.
    fill = "".join(f'_mta-sts.many TXT "{n} {"x" * 200}"\n' for n in range(30))
    lab = real.Real(world, policies, LINES.replace("{fill}", fill)).start()
    postfix = world.postfix()
    try:
        stsd = world.stsd(dns_servers=real.UNBOUND).start()
        secure = "OK secure match={} servername=hostname"
        for name, reply in (
                ("enforced", secure.format("mx.enforced." + zone)),
                ("wide", secure.format(f"a.wide.{zone}:b.wide.{zone}")),
                ("testing", "OK may"),
                ("many", secure.format("mx.many." + zone)),
                ("plain", "NOTFOUND "),
                ("big", "NOTFOUND "),
                ("missing", "NOTFOUND ")):
            # unbound turns the order of the MX records.
            same(sorted(re.split("[=: ]", stsd.ask(f"{name}.{zone}"))),
                 sorted(re.split("[=: ]", reply)), name)
        # Postfix asks the resolver of its own, in which the mail host stands.
        for name, address in (("enforced", "198.18.4.1"), ("plain", "198.18.4.2")):
            world.dns.replace(f"{name}.{zone}", "MX", (10, f"mx.{name}.{zone}"))
            world.dns.replace(f"mx.{name}.{zone}", "A", address)
            world.smtp.listen(address, [f"mx.{name}.{zone}"])
        postfix.start()
        for name in ("enforced", "plain"):
            postfix.send(f"you@{name}.{zone}")
        for name, level in (("enforced", "Verified"), ("plain", "Trusted")):
            same(postfix.wait_for_fate(f"you@{name}.{zone}")[0], "sent", name)
            same(postfix.tls_of(f"mx.{name}.{zone}"), level, name)
    finally:
        lab.stop()
