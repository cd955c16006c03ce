"""Public email providers, where one person can't create any number of addresses."""

_NAMES = """
    126.com 163.com aol.com bk.ru btinternet.com comcast.net duck.com fastmail.com free.fr gmail.com gmx.at gmx.de
    gmx.net googlemail.com hotmail.co.uk hotmail.com hotmail.fr hotmail.it icloud.com inbox.ru laposte.net
    libero.it list.ru live.co.uk live.com mac.com mail.com mail.ru me.com msn.com naver.com orange.fr outlook.com
    outlook.de outlook.fr pm.me proton.me protonmail.com qq.com rediffmail.com rocketmail.com t-online.de tuta.com
    tutanota.com ukr.net verizon.net wanadoo.fr web.de wp.pl yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com
    yahoo.com.br yahoo.de yahoo.fr yandex.com yandex.ru ymail.com zoho.com
"""
_COMMON = frozenset(_NAMES.split())


def is_common(host: str) -> bool:
    return host.lower() in _COMMON
