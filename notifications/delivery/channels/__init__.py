"""The adapters of ``notifications.delivery.channel``, one file each."""
