"""A visitor without a browser: opens a session of a running dashboard, so that its page runs."""

from __future__ import annotations

import asyncio

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from tornado.websocket import websocket_connect


def visit(port: int, seconds: float = 60) -> None:
    """Run the first page of the dashboard once."""
    asyncio.run(asyncio.wait_for(_visit(port), seconds))


async def _visit(port: int) -> None:
    socket = await websocket_connect(f"ws://127.0.0.1:{port}/_stcore/stream")
    ask = BackMsg()
    ask.rerun_script.query_string = ""
    await socket.write_message(ask.SerializeToString(), binary=True)
    while True:
        received = await socket.read_message()
        assert isinstance(received, bytes), "the server closed the connection"
        message = ForwardMsg()
        message.ParseFromString(received)
        if message.WhichOneof("type") == "script_finished":
            socket.close()
            return
