"""An event of the doctor's own, followed from the post to the player's device."""
