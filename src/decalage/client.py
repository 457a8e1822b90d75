"""A client of a décalage server, from Python.

::

    from decalage.client import Client, captions

    for caption in captions("http://127.0.0.1:8765", "talk.flac", source="en", targets=["pt"]):
        print(caption.text["pt"])

    async with Client("http://127.0.0.1:8765") as client:
        async for event in client.listen(listen_id, target="pt"):
            print(event)

``Client.speak`` sends sound of one's own. Needs ``pip install '.[server]'`` in the clone.
"""

from decalage.app.client.address import Address
from decalage.app.client.captions import captions
from decalage.app.client.client import Client
from decalage.app.client.speaking import Speaking
from decalage.errors import ConnectionLostError, ServerError, ServerRefusalError, UnreachableError

__all__ = [
    "Address",
    "Client",
    "ConnectionLostError",
    "ServerError",
    "ServerRefusalError",
    "Speaking",
    "UnreachableError",
    "captions",
]
