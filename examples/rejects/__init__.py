"""Each kind of a row about which there is something to say."""
