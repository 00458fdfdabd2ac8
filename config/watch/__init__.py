"""The watch: what is wrong becomes an alarm with a since-when, and leaves the console by itself.

``kinds`` says what is watched, ``rules`` look, ``state`` opens and ends, ``telling`` tells,
``running`` does all that every few seconds in every long-lived process, one of them at a time.
"""
