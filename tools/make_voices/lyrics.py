"""Words to sing, written for this tool: short lines as songs have them, by espeak-ng's name of their language.

Sense matters little. What counts is that all vowels and most consonant clusters of a language come, in phrases of one breath.
"""

LINES: dict[str, tuple[str, ...]] = {
    "en-us": (
        "I leave the window open so the night can find me here",
        "Run with me tonight, we are faster than the rain",
        "You said the summer would be longer than the road",
        "Hold on, hold on, I am coming over the hill",
        "Every lamp along the river knows the colour of your coat",
        "No more waiting on the corner for a phone that never rings",
        "Oh, I was only a spark and you gave me the wind",
        "Tell the boys back in the harbour that the engine still turns",
        "We danced in the kitchen with the radio low",
        "Baby, you can have the morning, I will keep the blue hour",
        "Money on the table and the devil at the door",
        "I broke the mirror twice and still I see your face",
        "Higher, higher, till the city is a handful of gold",
        "She drives a stolen summer down the middle of the street",
        "There is thunder in my pocket and a smile on my teeth",
        "Never gonna bow my head, never gonna turn around",
        "Stay a little longer while the coffee gets cold",
        "All the things we buried are beginning to grow",
        "I count the floors, I count the doors, I count the days to you",
        "Wake up, wake up, the whole world is on fire",
        "Give me one more reason and I swear I will believe",
        "My mother sang of mountains and my father sang of war",
        "Love is just a vehicle with nobody at the wheel",
        "Shadows on the ceiling moving like the sea",
        "You and I, we were made of louder things",
        "Take the photographs, leave me the frames",
        "Yeah, I got a fever and the doctor wants to dance",
        "The choir in the valley is calling me back",
        "How does it feel when the music lets you go",
        "Silver on the water, silver in her hair",
        "Jump the fence and follow where the wild dogs play",
        "I will be the echo when your voice is gone",
        "Check the flow, double time, never late, hit the line",
        "Pockets full of pennies but I talk like a king",
        "Block by block I built it, brick by brick and rhyme by rhyme",
        "They said sit, so I stood, they said stop, so I could",
        "Rats in the attic, static on the track, attack is automatic and I'm never looking back",
        "Put your hands up to the ceiling if you feel it in the floor",
        "Five in the morning, still writing in the yellow of the bus",
        "We came from the bottom with the bass in the trunk",
    ),
    "es": (
        "Dime que la noche no termina todavía",
        "Bajo la lluvia caminamos sin hablar",
        "Quiero volver a la orilla donde te vi reír",
        "Fuego en la calle, fuego en mi corazón",
        "No me llames si no vas a regresar",
        "La luna baila sola sobre el techo del hotel",
        "Mil guitarras suenan cuando dices mi nombre",
        "Ay, qué lejos queda el mar de mi ventana",
    ),
    "fr-fr": (
        "Je marche seul dans les rues de janvier",
        "Donne-moi la main, on partira demain",
        "Tes yeux brûlent comme un feu sous la neige",
        "On a perdu le temps, on a gagné la nuit",
        "Chante encore un peu pour que le jour se lève",
        "Le vent du nord connaît toutes mes chansons",
        "Ô mon amour, ne ferme pas la porte",
    ),
    "it": (
        "Portami lontano dove il cielo tocca il mare",
        "Ti ho cercato nelle luci della città",
        "Canta, canta ancora finché dura la notte",
        "Il cuore è una finestra che non so più chiudere",
        "Non dirmi mai che è troppo tardi",
        "Voglio ballare sotto questa luna rossa",
    ),
    "pt-br": (
        "Deixa a chuva cair no meu quintal",
        "Eu não quero dormir antes do sol nascer",
        "Meu coração é um barco no meio do mar",
        "Vem dançar comigo até o dia clarear",
        "A saudade mora do lado de cá",
        "Quem me dera ter o tempo na mão",
    ),
    "hi": (
        "मेरे दिल की राहों में तेरा नाम लिखा है",
        "आज की रात हम तारों के साथ चलेंगे",
        "बारिश की बूँदें गाती हैं मेरी कहानी",
        "तू जो मिल जाए तो सुबह हो जाए",
        "दूर कहीं कोई गीत सुनाई देता है",
    ),
}

LANGUAGE_OF_PREFIX = {"b": "en-gb", "e": "es", "f": "fr-fr", "i": "it", "p": "pt-br", "h": "hi"}
"""First letter of a Kokoro voice's name to its language; the others sing English, which keeps their voice and gains an accent."""


def lines_for(language: str) -> tuple[str, ...]:
    """Return the lines of a language; British singers share the American ones."""
    return LINES["en-us" if language == "en-gb" else language]
