"""What is printed on the scanned pages of build/models-src/ocr/pages, read by a person, and how near a reading comes to it."""

NOVEL = """Chapter III.
WELL, I got a good going-over in the morning,
from old Miss Watson, on account of my
clothes; but the widow she didn't scold, but
only cleaned off the grease and clay and
looked so sorry that I thought I would be-
have a while if I could. Then Miss Watson
she took me in the closet and prayed, but
nothing come of it. She told me to pray
every day, and whatever I asked for I would
get it. But it warn't so. I tried it. Once
I got a fish-line, but no hooks. It warn't
any good to me without hooks. I tried for
the hooks three or four times, but somehow
I couldn't make it work. By-and-by, one
day, I asked Miss Watson to try for me, but
MISS WATSON'S LECTURE. she said I was a fool. She never told me
why, and I couldn't make it out no way.
I set down, one time, back in the woods, and had a long think about it. I
says to myself, if a body can get anything they pray for, why don't Deacon
Winn get back the money he lost on pork? Why can't the widow get back
her silver snuff-box that was stole? Why can't Miss Watson fat up? No, says
I to myself, there ain't nothing in it. I went and told the widow about it,
and she said the thing a body could get by praying for it was "spiritual gifts."
This was too many for me, but she told me what she meant-I must help
other people, and do everything I could for other people, and look out for them
all the time, and never think about myself. This was including Miss Watson,
"""

TYPEWRITER = """Linzensoep à la Waterman
4 ons linzen
3 liter water
3 uien
bloem, boter
2 kopjes melk
laurier, kruidnagel, kerrie, zout
De linzen wassen en in 1 liter kokend wa-
ter 1 dag laten weken. 2 liter water bij
de linzen voegen, zonder het water waarin
ze geweekt zijn af te gieten. De helft van
de uien bakken met laurier en kruidnagel.
Alle uien, kerrie en zout bij de linzen
voegen. Alles aan de kook brengen. Van de
bloem met boter en melk een papje maken en
verder afmaken met de soep. Als de linzen
gaar zijn is de soep klaar.
"""

TEXTBOOK = """Region-based segmentation
Let us first determine markers of the coins and the
background. These markers are pixels that we can label
unambiguously as either object or background. Here,
the markers are found at the two extreme parts of the
histogram of grey values:
>>> markers = np.zeros_like(coins)
"""

PAGES = {"novel.png": NOVEL, "typewriter.png": TYPEWRITER, "textbook.png": TEXTBOOK}


def characters(text):
    """Without spaces, which the recogniser often leaves out, and with one form of quotes and dashes."""
    return "".join(text.translate(str.maketrans("‘’“”—–，；", "''\"\"--,;")).split())


def edits(a, b):
    """Levenshtein's distance."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a):
        before, row[0] = row[0], i + 1
        for j, right in enumerate(b):
            before, row[j + 1] = row[j + 1], min(row[j] + 1, row[j + 1] + 1, before + (left != right))
    return row[-1]


def accuracy(read, truth):
    """The part of the truth's characters that was read right."""
    read, truth = characters(read), characters(truth)
    return 1 - edits(read, truth) / len(truth)
