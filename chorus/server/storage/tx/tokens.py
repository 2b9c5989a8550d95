"""API tokens."""

from __future__ import annotations

from chorus.server.domain.model import Token
from chorus.server.storage.tx.base import TOKEN, Base


class TokenSql(Base):
    def token(self, token_hash: str) -> Token | None:
        row = self.row(f"SELECT {TOKEN} FROM token WHERE token_hash = ?", (token_hash,))
        return Token(*row) if row else None

    def tokens_of(self, user_id: str) -> list[Token]:
        """The newest first."""
        return [
            Token(*row)
            for row in self.rows(
                f"SELECT {TOKEN} FROM token WHERE user_id = ? ORDER BY created_at DESC, token_hash",
                (user_id,),
            )
        ]

    def add_token(self, token: Token) -> None:
        self.run(
            f"INSERT INTO token ({TOKEN}) VALUES (?,?,?,?,?,?,?,?)",
            (
                token.token_hash,
                token.user_id,
                token.name,
                token.created_at,
                token.scope,
                token.project_id,
                token.expires_at,
                token.last_used_at,
            ),
        )

    def token_used(self, token_hash: str, at: int) -> None:
        self.run("UPDATE token SET last_used_at = ? WHERE token_hash = ?", (at, token_hash))

    def drop_token(self, token_hash: str) -> None:
        self.run("DELETE FROM token WHERE token_hash = ?", (token_hash,))
