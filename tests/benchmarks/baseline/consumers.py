"""A player's socket."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class PlayerConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.group = f"player.{self.scope['url_route']['kwargs']['player']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def notify(self, message):
        await self.send_json(message["notification"])
