"""Function words: articles, prepositions and the like. All other words count as visual words."""

_ARTICLES = "a an the this that these those some any each every both all another other no"
_PREPOSITIONS = (
    "about above across after against along alongside among around at atop away before behind "
    "below beneath beside between beyond by down during for from in inside into near next of off "
    "on onto out outside over past through to toward towards under underneath up upon while with "
    "within without"
)
_CONJUNCTIONS = "and as but if or nor so than then when where which who whose"
_PRONOUNS = (
    "he her him his it its itself himself herself she someone something somebody their them "
    "themselves there they we you your what"
)
_AUXILIARIES = (
    "am are be been being can could did do does has have having is may might must not n't 's "
    "should was were will would"
)
_KINDS = (_ARTICLES, _PREPOSITIONS, _CONJUNCTIONS, _PRONOUNS, _AUXILIARIES)
FUNCTION_WORDS = frozenset(" ".join(_KINDS).split())
