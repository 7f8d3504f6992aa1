"""Pipes and queues are pollable, so an event loop can wait for them."""

import asyncio
import os
from pathlib import Path

import unipc
from support import Ends


def test_an_event_loop_waits_for_a_pipe_and_a_queue(ends: Ends, queue: unipc.Queue) -> None:
    reader, writer = ends

    async def main() -> tuple[bytes, unipc.Message]:
        loop = asyncio.get_running_loop()
        from_pipe: asyncio.Future[bytes] = loop.create_future()
        from_queue: asyncio.Future[unipc.Message] = loop.create_future()

        def read() -> None:
            loop.remove_reader(reader)
            from_pipe.set_result(reader.read(100, timeout=0))

        def receive() -> None:
            loop.remove_reader(queue)
            from_queue.set_result(queue.receive(timeout=0))

        loop.add_reader(reader, read)
        loop.add_reader(queue.fileno(), receive)
        await asyncio.sleep(0.01)
        assert not from_pipe.done()
        assert not from_queue.done()
        writer.write(b"through the pipe")
        queue.send(b"through the queue", 3)
        return await from_pipe, await from_queue

    assert asyncio.run(main()) == (b"through the pipe", (b"through the queue", 3))


def test_a_waiting_call_runs_in_a_thread_of_the_loop(queue: unipc.Queue) -> None:
    async def main() -> unipc.Message:
        receiving = asyncio.create_task(asyncio.to_thread(queue.receive))
        await asyncio.sleep(0.01)
        queue.send(b"hello")
        return await receiving

    assert asyncio.run(main()).data == b"hello"


def test_a_fifo_end_serves_streams_of_asyncio(tmp_path: Path) -> None:
    async def main(reader: unipc.PipeReader) -> bytes:
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader()
        file = os.fdopen(os.dup(reader.fileno()), "rb")
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), file
        )
        try:
            return await stream.readline()
        finally:
            transport.close()
            await asyncio.sleep(0)

    with unipc.Fifo.create(tmp_path / "fifo") as fifo:
        with fifo.open_reader(timeout=0) as reader, fifo.open_writer() as writer:
            writer.write(b"a line\nand more")
            assert asyncio.run(main(reader)) == b"a line\n"
