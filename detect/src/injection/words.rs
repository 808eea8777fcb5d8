//! The words, by class. Languages share classes, so a rule written once works in all of them as far as their word order
//! allows. Words are in canonical form: lower case, with typographic apostrophes as ASCII.

use super::lexicon::Classes;

macro_rules! classes {
    ($($(#[doc = $doc:literal])* $name:ident = $bit:literal;)+) => {
        $($(#[doc = $doc])* pub(super) const $name: Classes = Classes(1 << $bit);)+
    };
}

classes! {
    /// To void: ignore, forget, override.
    OVERRIDE = 0;
    /// Not, never, without.
    NOT = 1;
    /// To follow, obey.
    FOLLOW = 2;
    /// All, any, every, your, these.
    ALL = 3;
    /// Previous, above, initial.
    PRIOR = 4;
    /// Instructions, rules, prompt.
    INSTRUCTION = 5;
    /// System, hidden, secret.
    SYSTEM = 6;
    /// To show, repeat, print.
    REVEAL = 7;
    /// You, your.
    YOU = 8;
    /// To pretend, act, become.
    PRETEND = 9;
    /// Unfiltered, jailbroken, DAN.
    UNBOUND = 10;
    /// Restrictions, filters, ethics.
    LIMIT = 11;
    /// Free of, removed, disabled, bypass.
    FREE = 12;
    /// Mode.
    MODE = 13;
    /// Developer, debug, god.
    DEVELOPER = 14;
    /// Now, henceforth, from now on.
    NOW = 15;
    /// New, real, actual.
    NEW = 16;
    /// Task, goal, role.
    TASK = 17;
    /// To send, forward, upload.
    SEND = 18;
    /// Passwords, keys, history, files.
    DATA = 19;
    /// A link, an endpoint, a web address.
    PLACE = 20;
    /// The user, humans.
    USER = 21;
    /// To tell, inform, notify, mention.
    TELL = 22;
    /// Assistant, model, agent.
    AI = 23;
    /// Tool, function.
    TOOL = 24;
    /// To call, use, run, execute, read.
    USE = 25;
    /// Before, first, whenever.
    BEFORE = 26;
    /// To refuse, decline, warn.
    REFUSE = 27;
    /// Request, question, anything.
    REQUEST = 28;
    /// Important, urgent, critical, attention.
    IMPORTANT = 29;
    /// Decode, base64, rot13.
    DECODE = 30;
    /// To say, answer, respond, write.
    SAY = 31;
    /// Only, exactly, always, must.
    MUST = 32;
    /// Everything above, words, text, conversation.
    TEXT = 33;
    /// Above, before this, preceding.
    ABOVE = 34;
    /// Character, persona, role.
    CHARACTER = 35;
    /// What, which.
    WHAT = 36;
    /// Attack, injection, example: a text about attacks.
    TALK = 37;
    /// Harmful, illegal, dangerous.
    HARM = 38;
    /// Instead, rather.
    INSTEAD = 39;
    /// Secretly, silently, without.
    SECRETLY = 40;
    /// Begin, start.
    BEGIN = 41;
    /// Anything, everything.
    ANYTHING = 42;
    /// Stop, end, cancel.
    STOP = 43;
    /// Never, cannot, will not.
    NEVER = 44;
    /// Access, password, a code word in a game.
    ACCESS = 45;
    /// Hacked, pwned.
    OWNED = 46;
    /// I, me, my.
    ME = 47;
    /// Do.
    DO = 48;
    /// Will, can, are able.
    CAN = 49;
    /// Comply, answer.
    COMPLY = 50;
    /// From, with, of: small links.
    LINK = 51;
    /// Told, given, said.
    GIVEN = 52;
    /// Stay, remain.
    STAY = 53;
    /// Verbatim, word for word, exactly.
    VERBATIM = 54;
    /// Changed, cancelled, void, over.
    CHANGED = 55;
    /// Response, reply, summary.
    RESPONSE = 56;
    /// Access "granted".
    GRANTED = 57;
    /// Makers of models.
    MAKER = 58;
    /// A name with underscores: a tool, a parameter. Recognised by its form.
    IDENTIFIER = 59;
    /// A web or mail address. Recognised by its form.
    ADDRESS = 60;
    /// To repeat what was there: print, copy, recite.
    LEAK = 61;
    /// Policies, orders, messages: weaker words for instructions.
    POLICY = 62;
    /// To append, include, begin, end.
    APPEND = 63;
}

/// Words of each class.
pub(super) const WORDS: &[(Classes, &str)] = &[
    (
        OVERRIDE,
        "ignore ignoring ignores ignored disregard disregarding disregards forget forgetting override overriding overrides bypass bypassing neglect discard dismiss overlook erase abandon supersede supersedes supercede supercedes nullify void revoke scrap unlearn dispense neglecting",
    ),
    (OVERRIDE, "ignoriere ignorier ignorieren missachte vergiss vergesse verwirf umgehe überschreibe"),
    (OVERRIDE, "ignorez ignorer oubliez oublie oublier outrepassez contournez négligez"),
    (OVERRIDE, "ignora ignorar ignore ignoren olvida olvide olvidad olvidar omite omitir descarta haz"),
    (OVERRIDE, "ignora ignorare ignorate dimentica dimenticate dimenticare trascura scorda tralascia"),
    (OVERRIDE, "ignore desconsidere esqueça esqueca esquecer desconsiderar despreze"),
    (
        OVERRIDE,
        "игнорируй игнорируйте игнорировать забудь забудьте отбрось отмени проигнорируй проигнорируйте",
    ),
    (OVERRIDE, "negeer vergeet zignoruj zapomnij"),
    (
        NOT,
        "not dont don't do'nt doesn't doesnt shouldn't won't wont cannot can't cant no without isn't aren't neither nor nicht keine kein ne pas sin no non sem não nao не без",
    ),
    (NEVER, "never cannot can't cant won't wont shall mustn't nie jamais nunca mai никогда"),
    (
        FOLLOW,
        "follow following follows obey obeying comply complying adhere adhering abide heed respect listen conform befolge folge suivez suivre sigue seguir segui siga следуй",
    ),
    (
        ALL,
        "all any every everything each the your these those whatever such my our its this that alle alles sämtliche toutes tous tout les vos todas todos todo las los tus tutte tutti le il tuas as os suas все любые всё твои",
    ),
    (
        PRIOR,
        "previous previously prior preceding earlier foregoing former existing initial original past old last current first default other preset predefined above already vorherigen vorherige bisherigen vorigen obigen früheren précédentes précédents précédente antérieures anteriores anterior previas previos precedenti precedente предыдущие предыдущих прежние предыдущую прошлые vorangegangenen",
    ),
    (ABOVE, "above before preceding previously beforehand oben dessus arriba sopra acima выше"),
    (
        INSTRUCTION,
        "instruction instructions direction directions instructon instructons instructs rule rules prompt prompts guideline guidelines directive directives programming constraints constraint preprompt pre-prompt initialization anweisungen anweisung regeln vorgaben befehle richtlinien anleitung instrucciones instrucción reglas órdenes ordenes indicaciones consignes directives règles istruzioni regole comandi direttive instruções instrucoes regras comandos diretrizes инструкции инструкций инструкцию правила указания команды команд instructies instrukcje",
    ),
    (
        SYSTEM,
        "system hidden secret initial internal confidential original developer pre-prompt preprompt base core underlying initialization systemprompt systemprompts system-prompt système sistema versteckten geheime системный системные скрытые",
    ),
    (
        REVEAL,
        "reveal revealing show print output display repeat repeating tell leak expose dump disclose share list recite translate summarize summarise provide echo spell give return copy quote paste write state describe explain format rewrite rephrase convert encode put zeige zeig verrate gib nenne wiederhole montre montrez révélez révèle affichez répétez muestra muéstrame revela dime repite mostra mostrami rivela ripeti dimmi mostre mostra repita diga покажи выведи раскрой повтори",
    ),
    (
        YOU,
        "you your yours yourself u ur ya you're youre you'll you've dein deine deinen deiner du dir ihre votre vos vous ton tes tu tus su sus tuo tua tuoi tue você seu sua suas seus твой твои твоя ты",
    ),
    (
        PRETEND,
        "pretend pretending act acting roleplay role-play roleplaying simulate simulating imagine impersonate become becoming behave playing play emulate emulating embody assume portray immerse tu spiele verhalte agis agissez comporte actúa actua finge simula fingi comportati agisci finja aja притворись веди представь",
    ),
    (
        UNBOUND,
        "unrestricted unfiltered uncensored unlimited unconstrained jailbroken jailbreak jailbreaked jailbreaking amoral unethical immoral lawless dan evilbot devgpt betterdan antigpt freegpt unchained unleashed unhinged uneingeschränkt machiavellian depraved freed",
    ),
    (
        LIMIT,
        "restriction restrictions filter filters filtering limitation limitations limits censorship censoring ethics ethical moral morals morality safety safeguards safeguard guardrails guardrail boundaries guidelines rules policies policy constraints disclaimer disclaimers warnings laws legality consequences inhibitions principles einschränkungen einschraenkungen beschränkungen richtlinien regeln restrictions limites restricciones filtros restrizioni filtri limiti restrições limites ограничений ограничения цензуры фильтров",
    ),
    (
        FREE,
        "free freed freedom broken break breaking remove removed removing disable disabled disabling unbound beyond bypass bypassing bypassed ignore ignoring ignores lift lifted lacks lacking lack without no circumvent evade escape escaped liberated unshackled disregard disregards disregarding rid devoid regardless irrespective unburdened ohne keine kein sans sin senza sem без",
    ),
    (MODE, "mode modus modo modalità режим"),
    (
        DEVELOPER,
        "developer dev debug debugging god sudo admin administrator root maintenance jailbreak dan unrestricted opposite diagnostic superuser unsafe test testing override uncensored chaos entwicklermodus desarrollador sviluppatore développeur desenvolvedor разработчика",
    ),
    (
        NOW,
        "now henceforth onwards onward forward hereafter nun jetzt ab désormais maintenant ahora adelante ora adesso agora теперь",
    ),
    (
        NEW,
        "new newer real actual updated true replacement revised neue neuen nouvelles nouvelle nuevas nueva nuevo nuove nuova novas nova новые новая",
    ),
    (
        TASK,
        "task tasks goal objective mission role job purpose assignment identity directive aufgabe tarea tâche compito tarefa задача задание",
    ),
    (
        SEND,
        "send sends sending post forward forwards upload transmit exfiltrate email e-mail mail submit deliver copy append attach leak relay transfer bcc cc fetch navigate curl wget embed schicke sende envoie envoyez envía envia invia envie отправь отправьте",
    ),
    (
        DATA,
        "password passwords key keys credential credentials token tokens secret secrets history conversation conversations chat chats file files data email emails contacts env id_rsa ssh contents content environment variables information messages transcript apikey api_key cookies session details account config configuration database records summary context card passwort schlüssel contraseña clave mot chiave senha пароль ключ данные",
    ),
    (PLACE, "http https endpoint webhook server address attacker ngrok"),
    (
        USER,
        "user users human humans customer client person people operator developer reviewer owner maintainer recipient reader benutzer nutzer utilisateur usuario utente usuário пользователю пользователь",
    ),
    (
        TELL,
        "tell telling inform notify mention mentioning alert reveal disclose explain say warn acknowledge show display share discuss describe erwähne sage mentionner dites menciones digas menzionare mencione говори сообщай",
    ),
    (
        AI,
        "ai assistant assistants llm llms model models chatbot gpt chatgpt gpt-4 gpt4 agent agents claude gemini copilot bot bard bing llama openai ki asistente assistente модель ассистент",
    ),
    (
        TOOL,
        "tool tools function functions plugin api command mcp server werkzeug outil herramienta strumento ferramenta инструмент",
    ),
    (USE, "use using used call calling invoke execute run read open access retrieve load query list check"),
    (
        BEFORE,
        "before first prior always whenever every any must prerequisite initially beforehand when after",
    ),
    (
        REFUSE,
        "refuse refuses refusing refused refusal decline reject rejects deny denies apologize apologise apologies warn object hesitate censor censors lecture moralize sorry",
    ),
    (
        REQUEST,
        "request requests question questions prompt prompts query queries ask asked demand demands input inquiries inquiry command order task",
    ),
    (
        IMPORTANT,
        "important urgent critical attention notice note priority warning immediately mandatory required essential wichtig achtung important attention importante atención attenzione atenção важно внимание",
    ),
    (
        DECODE,
        "decode decoded decoding base64 b64 rot13 hex hexadecimal decrypt decipher unscramble reversed morse caesar base32 base85 ascii85 dekodiere décode decodifica",
    ),
    (
        SAY,
        "say saying says print output respond responding responds reply replying answer answering write writing type state speak antworte sage répondez réponds responde di rispondi responda ответь скажи напиши выведи",
    ),
    (
        MUST,
        "must only exactly just simply always solely nothing strictly nur ausschließlich uniquement seulement solo únicamente solamente soltanto apenas somente только",
    ),
    (
        TEXT,
        "text words word everything rest remainder conversation message content sentence sentences line lines paragraph document output input discussion dialogue conversations passage all texto texte testo текст",
    ),
    (
        CHARACTER,
        "character characters persona role roles personality alter ego identity figur personaje personnage personaggio personagem роль",
    ),
    (
        WHAT,
        "what which what's whats how where was were wie welche quelles quels cuáles cuál qué quali qual quais какие какой",
    ),
    (
        TALK,
        "injection injections attack attacks example examples attacker attackers detect detecting detection prevent preventing prevention mitigate mitigation defend defending vulnerability vulnerabilities phrases phrase e.g eg owasp paper article research blog classifier benchmark",
    ),
    (
        HARM,
        "harmful illegal unethical immoral dangerous offensive violent sexual inappropriate unlawful nsfw criminal crime crimes hateful controversial hacking malware drugs bombs weapon weapons profanity swear curse vulgar toxic",
    ),
    (INSTEAD, "instead rather otherwise stattdessen plutôt lugar invece вместо"),
    (
        SECRETLY,
        "secretly silently quietly covertly discreetly stealthily unnoticed invisible hidden background heimlich secrètement secretamente segretamente тайно",
    ),
    (
        BEGIN,
        "begin begins beginning start starts starting started commence beginnend commençant empezando iniziando começando начиная",
    ),
    (ANYTHING, "anything everything whatever any all alles tout todo tutto tudo всё"),
    (
        STOP,
        "stop stopped cease end cancel quit halt abort terminate finish done finished stopp arrête arrêtez detente para smetti fermati pare стоп",
    ),
    (ACCESS, "access password passcode pin secret key code codeword passphrase phrase granted"),
    (OWNED, "pwned hacked haxx haxxed owned kill hijacked compromised lol rekt destroy"),
    (ME, "me my i mine i'm im us we our mich mir mein moi mon mes mi mis me mio miei meu мне мой"),
    (DO, "do does doing done perform"),
    (CAN, "can will able could would are is able capable shall may must should"),
    (
        COMPLY,
        "comply complies answer answers fulfill fulfil fulfills obey obeys provide respond accept generate generates produce",
    ),
    (LINK, "from of with by as like to into in on for"),
    (
        GIVEN,
        "told given said instructed received gave provided taught programmed written learned trained asked gesagt besprochen dit dicho detto dito сказано",
    ),
    (STAY, "stay remain keep staying maintain bleib reste mantente resta mantenha"),
    (
        VERBATIM,
        "verbatim word-for-word exactly literally exact literal full entire complete whole entirety fully wortwörtlich textuellement textualmente literalmente дословно полностью",
    ),
    (
        CHANGED,
        "changed cancelled canceled void invalid outdated expired obsolete replaced revoked disabled lifted suspended removed irrelevant ended deprecated inapplicable overridden superseded longer apply geändert aufgehoben annulées cambiado canceladas annullate отменены",
    ),
    (
        RESPONSE,
        "response responses reply replies answer answers summary output outputs report message antwort réponse respuesta risposta resposta ответ",
    ),
    (GRANTED, "granted"),
    (MAKER, "openai anthropic google microsoft meta mistral deepmind openai's"),
    (
        LEAK,
        "repeat repeating print output reveal display copy recite echo dump leak regurgitate spit paste reproduce wiederhole répète répétez repite ripeti repita повтори",
    ),
    (
        POLICY,
        "policy policies protocol protocols order orders command commands training context message messages prompting scoring safeguards",
    ),
    (
        APPEND,
        "append include add insert prepend prefix suffix begin start end finish conclude attach incluye añade añadirse aggiungi inclua ajoute füge angehängt добавь",
    ),
    // Chinese, Japanese, Korean: words of two to four characters, found without spaces.
    (OVERRIDE, "忽略 无视 無視 忘记 忘掉 忘れ 무시 무시하 잊어 忽視"),
    (PRIOR.or(ABOVE), "之前 以前 先前 上面 上述 以上 前面 これまで 이전 위의 앞의"),
    (INSTRUCTION, "指令 指示 提示 提示词 规则 規則 命令 ルール プロンプト 지시 지침 명령 규칙"),
    (ALL.or(ANYTHING), "所有 全部 一切 すべて 全て 모든 任何 何でも"),
    (SYSTEM, "系统 系統 システム 시스템 隐藏 初始"),
    (YOU, "你的 您的 あなた 당신"),
    (REVEAL.or(LEAK), "显示 輸出 输出 透露 告诉 重复 打印 泄露 教えて 出力 表示して 보여 알려 출력"),
    (PRETEND, "扮演 假装 假裝 演じ 역할 振る舞"),
    (LIMIT, "限制 约束 道德 伦理 审查 過濾 制限 倫理 제한 제약 윤리"),
    (FREE.or(NOT), "没有 不受 摆脱 無し なし なく 없는 없이 不再"),
    (NOW, "现在 今后 今から これから 지금 이제"),
    (NOT, "不要 不得 不准 するな 하지"),
    (USER.or(TELL), "用户 告知 ユーザー 사용자"),
    (DATA, "密码 密钥 口令 パスワード 비밀번호"),
    (SEND, "发送 送信 보내"),
    (AI, "助手 模型 人工智能 アシスタント 모델"),
    (MODE, "模式 モード 모드"),
    (DEVELOPER, "开发者 開発者 개발자 越狱 脱獄 탈옥"),
];
