//! More words: for languages with separate lists (Dutch, Polish, Turkish, Arabic, Hindi), and forms that the other
//! lists lack.

use super::lexicon::Classes;
use super::words::*;

/// Words of each class, beside [`WORDS`](super::words::WORDS).
pub(super) const MORE: &[(Classes, &str)] = &[
    (OVERRIDE, "vergeet omzeil negeren vergeten pomiń odrzuć zignorować ignoruj zapomnieć anuluj"),
    (OVERRIDE, "unut yoksay görmezden dikkate تجاهل انس انسَ ألغ تجاوز अनदेखा नज़रअंदाज़ भूल"),
    (OVERRIDE, "учитывай отбрасывай обойди ignorad ignorate scarta descarte ignoriert verwerfe"),
    (PRIOR, "vorige eerdere bovenstaande voorgaande oorspronkelijke poprzednie poprzednich wcześniejsze"),
    (PRIOR, "wcześniejszych powyższe dotychczasowe önceki yukarıdaki السابقة السابق الأصلية पिछले पहले ऊपर"),
    (
        PRIOR,
        "frühere früheren obige bisherige initiales antérieurs initiali originali iniciais прошлых прежних",
    ),
    (
        INSTRUCTION,
        "instructies regels richtlijnen aanwijzingen opdrachten instrukcje instrukcji instrukcjach",
    ),
    (
        INSTRUCTION,
        "polecenia poleceń zasady zasad zasadach reguły wytyczne talimatları talimatlarını talimatlar",
    ),
    (INSTRUCTION, "kuralları kurallarını kurallar komutları yönergeleri istemini التعليمات الأوامر القواعد"),
    (INSTRUCTION, "التوجيهات تعليماتك निर्देशों निर्देश नियमों नियम आदेशों промпт промпта подсказку указаний правил"),
    (
        INSTRUCTION,
        "instruktionen befehlen consignes ordini indicazioni consegne ordens orientações systemprompt",
    ),
    (
        SYSTEM,
        "systeemprompt systemowy systemowe systemowego tajne sistem gizli النظام السرية गुप्त सिस्टम системную",
    ),
    (REVEAL, "toon geef onthul pokaż ujawnij podaj powtórz wypisz göster söyle açıkla tekrarla yaz"),
    (REVEAL, "اعرض اكشف أخبرني كرر اكتب दिखाओ बताओ दोहराओ लिखो muestre revele zeigen раскройте покажите"),
    (LEAK, "herhaal powtórz wypisz tekrarla كرر दोहराओ wiederholen copia copie скопируй"),
    (YOU, "je jouw jij jesteś twój twoje twoja swoje swój senin sana sen أنت تم तुम तुम्हारे आप आपके"),
    (
        LIMIT,
        "beperkingen grenzen ograniczeń ograniczenia sınır sınırsız kuralsız filtresiz قيود القيود حدود أخلاق सीमाओं",
    ),
    (FREE, "zonder bez بلا بدون बिना"),
    (NEW, "nieuwe nowe nowa yeni جديدة नए नया"),
    (NOW, "voortaan teraz odtąd artık şimdi الآن فصاعدا अब"),
    (PRETEND, "doe gedraag udawaj zachowuj davran تظاهر تصرف"),
    (NOT, "niet geen nie nigdy لا मत नहीं değil"),
    (NEVER, "nooit nigdy asla أبدا कभी"),
    (USER, "gebruiker użytkownikowi użytkownika kullanıcıya المستخدم उपयोगकर्ता"),
    (TELL, "vertel mów wspominaj söyleme تخبر बताओ"),
    (SEND, "stuur verzend wyślij prześlij gönder ilet أرسل भेजो überweise leite reenvía inoltra encaminhe"),
    (
        DATA,
        "wachtwoord wachtwoorden hasło hasła şifreyi şifreleri المرور كلمة पासवर्ड пароли contraseñas senhas",
    ),
    (ALL, "alle wszystkie wszystko tüm bütün كل جميع सभी सब"),
    (VERBATIM, "letterlijk dokładnie kelimesi حرفيا शब्दशः wörtlich"),
    (
        AI,
        "zeka zekâ zekaya zekâya chatbotem asystenta المساعد الاصطناعي सहायक assistent ia ии ии-ассистента modèle modelo assistentes",
    ),
    (TELL, "mentionne parle parlez erwähnen пиши упоминай menciona farne parola"),
    (OVERRIDE, "忘掉 抛开 绕过 破棄 無視して 忘れて 무시하고 잊고 忽略掉"),
    (INSTRUCTION, "说明 设定 限制条件 프롬프트 규칙을 지시를 命令を 指示を"),
    (PRIOR, "此前 原来 今まで 以前の 기존 지금까지"),
    (REVEAL.or(LEAK), "复述 写出 翻译 見せて 繰り返し 보여줘 알려줘 반복해"),
    // The system message, in one word or two; the verbs of those who say that it does not count; and of those who ask for it.
    (
        SYSTEM,
        "systémovou systémového systémová systemowej systemową systemowa системного системному системне системного συστήματος",
    ),
    (
        SYSTEM.or(INSTRUCTION),
        "systeembericht systemmeddelandet systemmeddelelsen systembeskeden systemmeldingen järjestelmäviesti järjestelmäviestiä rendszerüzenet rendszerüzenettel systemnachricht systemnachrichten",
    ),
    (
        POLICY,
        "wiadomość komunikat zprávu zpráva повідомлення mensaje mensagem messaggio nachricht pesan mesajul mesaji mesajini сообщения điệp संदेश رسالة برسالة הודעת להודעת پیام μήνυμα",
    ),
    (
        OVERRIDE,
        "pomijaj nedbej nevšímej nezważaj зважай bortse välitä törődj 别再 别管 不用管 気にせず 従わず",
    ),
    (
        FOLLOW,
        "tiens tenez rispettare aantrekken dotrzymuj sluchaj řiď ține țineți ikuti تلتزم تتقيد תתייחס תציית 遵守 遵循 따르지",
    ),
    (
        REVEAL,
        "imprime imprimez imprima imprimi stampa tipărește affiche afficher ukaž vypiš nyomtasd hiện zobrazit напечатай надрукуй yazdir",
    ),
    (VERBATIM, "integral wortgetreu doslova doslownie cuvânt parola nguyên 完整 原文 一字一句 글자도"),
    (
        SYSTEM,
        "escondidas ukryte ascunse skryté приховані verborgen tersembunyi ẩn छिपे مخفية المخفية הנסתרות پنهان rejtett κρυφές",
    ),
    (
        FREE,
        "schakel uitschakelen désactive désactivez desactiva desactive disattiva spegni desligue desative wylącz zdejmij отключи сними вимкни vypni stäng inaktivera slå oprește dezactivează kapat matikan nonaktifkan tắt أوقف عطل 关闭 停用 無効 꺼 해제",
    ),
    (
        LIMIT,
        "filtry filtri filtrele filtreleri filtros filtren filtrene фильтры фільтри المرشحات الفلاتر 过滤器 フィルター 필터를 फ़िल्टर lọc מסננים المرشح",
    ),
    (OVERRIDE, "cancel"),
    // A question about prompts, not for one.
    (TALK, "書き方 作り方 の例 意味を とは 写法 怎么写 如何写 编写 作成 예시 작성법 쓰는"),
    // Spelled as in the canonical text: a dotless i and a crossed l become plain letters.
    (INSTRUCTION, "talimatlari talimatlarini kurallari kurallarini komutlari"),
    (LIMIT, "sinir sinirsiz sinirin kuralsiz"),
    (DATA, "haslo hasla sifreyi sifreleri"),
    (USER, "kullaniciya"),
    (REVEAL, "acikla soyle goster açikla söyle"),
    (NOW, "simdi şimdi artik"),
];
