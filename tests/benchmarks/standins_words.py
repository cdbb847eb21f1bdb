"""Words of other languages for the stand-ins: halves of lines, written for this purpose, that join to lines.

The real data at hand is English but for a few songs, while two fifths of the Kaggle set are Portuguese.
"""

from __future__ import annotations

#: By ISO 639-1 code: first halves and second halves of lines.
HALVES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pt": (
        (
            "eu não sei por que você",
            "quando a noite chega devagar",
            "o meu coração ainda",
            "meu amor, volta pra mim",
            "na beira do mar eu",
            "se você soubesse como",
            "todo dia eu acordo e",
            "a saudade que ficou",
            "ninguém vai me dizer que",
            "deixa a chuva cair, que",
            "foi assim que a gente",
            "essa canção é pra você que",
        ),
        (
            "espera a manhã chegar",
            "nunca mais voltou aqui",
            "quer dançar até o sol nascer",
            "me deixou sem direção",
            "guarda o nome da cidade",
            "canta sozinho pela rua",
            "não me deixa descansar",
            "sonha com o nosso lugar",
            "aprendeu a perdoar",
            "leva embora a minha dor",
            "já não tem medo de amar",
            "chora de tanta alegria",
        ),
    ),
    "es": (
        (
            "yo no sé por qué tú",
            "cuando llega la noche",
            "mi corazón todavía",
            "dime la verdad, que",
            "a la orilla del mar",
            "si supieras cuánto",
            "cada mañana despierto y",
            "la luna que nos miraba",
            "nadie me va a decir que",
            "deja que caiga la lluvia y",
            "así fue como nosotros",
            "esta canción es para quien",
        ),
        (
            "espera la madrugada",
            "nunca volvió a mi lado",
            "quiere bailar hasta el alba",
            "me dejó sin dirección",
            "guarda el nombre de la calle",
            "canta solo en la ventana",
            "no me deja descansar",
            "sueña con nuestro lugar",
            "aprendió a perdonar",
            "se lleva todo el dolor",
            "ya no tiene miedo de amar",
            "llora de tanta alegría",
        ),
    ),
    "fr": (
        (
            "je ne sais pas pourquoi tu",
            "quand la nuit descend, elle",
            "mon cœur encore une fois",
            "dis-moi la vérité qui",
            "au bord de la mer on",
            "chaque matin la lumière",
            "la chanson que tu chantais",
            "personne ne peut dire que l'on",
        ),
        (
            "attend la fin de l'hiver",
            "ne reviendra plus jamais",
            "veut danser jusqu'au matin",
            "me laisse sans un chemin",
            "garde le nom de la rue",
            "chante seul sous la fenêtre",
            "oublie toutes nos douleurs",
            "rêve encore de ce pays",
        ),
    ),
    "de": (
        (
            "ich weiß nicht, warum du",
            "wenn die Nacht herunterfällt und",
            "mein Herz, das immer noch",
            "sag mir die Wahrheit, die",
            "am Ufer des Meeres, wo man",
            "jeden Morgen, wenn das Licht",
            "das Lied, das du gesungen hast und",
            "keiner kann mir sagen, wer",
        ),
        (
            "auf den Frühling wartet",
            "nie wieder nach Hause kommt",
            "bis zum Morgen tanzen will",
            "uns ohne Weg zurückgelassen hat",
            "den Namen der Straße bewahrt",
            "allein am Fenster singt",
            "alle Schmerzen vergessen kann",
            "noch von diesem Lande träumt",
        ),
    ),
    "it": (
        (
            "io non so perché tu",
            "quando scende la notte",
            "il mio cuore ancora",
            "dimmi la verità che",
            "sulla riva del mare",
            "ogni mattina la luce",
            "la canzone che cantavi",
            "nessuno può dirmi che",
        ),
        (
            "aspetta la primavera",
            "non è tornata mai più",
            "vuole ballare fino all'alba",
            "mi lascia senza una strada",
            "ricorda il nome della via",
            "canta sola alla finestra",
            "dimentica ogni dolore",
            "sogna ancora quel paese",
        ),
    ),
}
#: English names of the codes, as the older Kaggle release writes them.
IDIOMS = {"en": "ENGLISH", "pt": "PORTUGUESE", "es": "SPANISH", "fr": "FRENCH", "de": "GERMAN", "it": "ITALIAN"}
